# Completion of mergelogs for fish, made by penctl --completion.
complete -c mergelogs -s c -d 'search the whole log of Pen for each line'
complete -c mergelogs -s d -d 'say what is found for each line (on standard error)'
complete -c mergelogs -s j -x -d 'seconds that the clocks of Pen and servers may differ (600)'
complete -c mergelogs -s p -r -F -d 'log file of Pen'
complete -c mergelogs -s r -r -F -d 'append lines that cannot be merged to this file'
complete -c mergelogs -s t -x -d 'seconds to subtract from the times of Pen\'s log (0)'
complete -c mergelogs -l help -d 'this text'
complete -c mergelogs -l version -d 'the version'
