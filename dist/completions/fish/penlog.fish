# Completion of penlog for fish, made by penctl --completion.
complete -c penlog -l help -d 'this text'
complete -c penlog -l version -d 'the version'
