//! The examples of the manual pages. Tests parse every one of them.

/// A command line and what it does.
pub struct Example {
    pub why: &'static str,
    /// The words, program first.
    pub words: &'static [&'static str],
}

const fn example(why: &'static str, words: &'static [&'static str]) -> Example {
    Example { why, words }
}

impl Example {
    /// As it is typed into a shell.
    pub fn typed(&self) -> String {
        let quoted = |w: &&str| if w.contains(' ') { format!("'{w}'") } else { (*w).to_owned() };
        self.words.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// Of `pen`.
pub const PEN: &[Example] = &[
    example("Try Pen out without a server of your own:", &["pen", "--demo"]),
    example(
        "Two web servers, each client is sent back to the one it had:",
        &["pen", "80", "192.0.2.1:80", "192.0.2.2:80"],
    ),
    example(
        "Round robin, at most 100 connections per server and 20 more for clients that know it, a \
         page that says sorry when both are down, and a control socket (the directory /run/pen \
         belongs to the user pen):",
        &[
            "pen",
            "-r",
            "-C",
            "/run/pen.ctl",
            "-u",
            "pen",
            "-p",
            "/run/pen/pen.pid",
            "-e",
            "192.0.2.9:80",
            "80",
            "192.0.2.1:80:100:120",
            "192.0.2.2:80:100:120",
        ],
    ),
    example(
        "IPv6 outside, HTTP requests that tell the client's address, weights 3 and 1:",
        &["pen", "-HW", ":::80", "[2001:db8::1]:80:0:0:3", "[2001:db8::2]:80:0:0:1"],
    ),
    example(
        "Clients of one network only:",
        &[
            "pen",
            "-O",
            "acl 1 permit 198.51.100.0 255.255.255.0",
            "-O",
            "client_acl 1",
            "25",
            "192.0.2.1",
            "192.0.2.2",
        ],
    ),
    example(
        "Everything from a file, in the foreground; and whether the file is right:",
        &["pen", "-f", "-F", "/etc/pen.conf", "-C", "/run/pen.ctl", "-u", "pen"],
    ),
    example("", &["pen", "--check", "-F", "/etc/pen.conf"]),
];

/// A configuration file.
pub const FILE: &[&str] = &[
    "# two web servers and a mail service",
    "listen 80",
    "roundrobin",
    "http",
    "acl 1 permit 127.0.0.1",
    "acl 1 permit 198.51.100.0/24",
    "client_acl 1",
    "server 0 address 192.0.2.1 port 80 max 100 name red",
    "server 1 address 192.0.2.2 port 80 max 100 name blue",
    "emergency 192.0.2.9:80",
    "service mail",
    "listen 25 :::25",
    "server 0 address 192.0.2.3 port smtp",
];

/// Of `penctl`.
pub const PENCTL: &[Example] = &[
    example("List the servers:", &["penctl", "/run/pen.ctl", "servers"]),
    example(
        "Take server 1 out for an hour, and back at once:",
        &["penctl", "/run/pen.ctl", "server", "1", "blacklist", "3600"],
    ),
    example("", &["penctl", "/run/pen.ctl", "server", "1", "blacklist", "0"]),
    example(
        "Move a server to another address without touching its connections:",
        &["penctl", "/run/pen.ctl", "server", "blue", "address", "192.0.2.7", "port", "8080"],
    ),
    example(
        "Who was there in the last minute, for a program to read:",
        &["penctl", "127.0.0.1:8888", "recent", "60", "json"],
    ),
    example(
        "Another service of the same process:",
        &["penctl", "/run/pen.ctl", "service", "mail", "conn_max", "500"],
    ),
    example(
        "Keep the settings, in a file that Pen's user may write:",
        &["penctl", "/run/pen.ctl", "write", "/var/lib/pen/pen.conf"],
    ),
];

/// Of `penlog`. What a web server's configuration has is written as the shell would have it.
pub const PENLOG: &[Example] = &[
    example(
        "Apache sends its log, with this in its configuration: CustomLog \"|/usr/bin/penlog loghost \
         10000\" combined. The same by hand:",
        &["penlog", "loghost", "10000"],
    ),
    example(
        "nginx writes files only, so the file is followed: tail -qn0 -F /var/log/nginx/access.log, \
         in a pipe to penlog. From the address that Pen's table has for this server:",
        &["penlog", "2001:db8::9", "10000", "2001:db8::1"],
    ),
];

/// Of `penlogd`.
pub const PENLOGD: &[Example] = &[
    example(
        "Collect on port 10000, as user nobody:",
        &[
            "penlogd",
            "-u",
            "nobody",
            "-l",
            "/var/log/pen/access.log",
            "-p",
            "/run/pen/log.pid",
            "10000",
        ],
    ),
    example(
        "Pen sends its log there:",
        &["pen", "-l", "loghost:10000", "80", "192.0.2.1", "192.0.2.2"],
    ),
    example(
        "Try it out: see what arrives, in the foreground, at one address only:",
        &["penlogd", "-f", "-d", "-b", "127.0.0.1:10000"],
    ),
    example(
        "With 2000 requests per second, of which the slowest take 30 seconds:",
        &["penlogd", "-n", "60000", "-l", "/var/log/pen/access.log", "10000"],
    ),
];

/// Of `mergelogs`; their output goes into a file.
pub const MERGELOGS: &[Example] = &[
    example(
        "Two web servers, one of them with a compressed log; add > access.log:",
        &["mergelogs", "-p", "pen.log", "192.0.2.1:web1.log", "192.0.2.2:web2.log.gz"],
    ),
    example(
        "Servers with IPv6 addresses, clocks that are right within ten seconds, rejects kept:",
        &[
            "mergelogs",
            "-j",
            "10",
            "-r",
            "rejects",
            "-p",
            "pen.log.gz",
            "[2001:db8::1]:web1.log",
            "[2001:db8::2]:web2.log",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use pen_core::addr::Names;
    use pen_core::command::{self, Context, Door};
    use pen_core::config::Config;

    use super::*;

    struct Anywhere;

    impl Names for Anywhere {
        fn port(&self, service: &str) -> Option<u16> {
            (service == "smtp").then_some(25)
        }

        fn host(&self, _: &str) -> Result<IpAddr, String> {
            Ok(Ipv4Addr::LOCALHOST.into())
        }
    }

    #[test]
    fn command_lines_are_understood() {
        for example in PEN {
            let words = example.words[1..].iter().map(std::ffi::OsString::from);
            let launch = pen_core::cli::parse(words).unwrap();
            let mut config = Config::default();
            launch.apply_options(&mut config, &Anywhere, &mut |_, _, _| Ok(())).unwrap();
            launch.apply_operands(&mut config, &Anywhere, &[]).unwrap();
        }
    }

    #[test]
    fn the_file_is_understood() {
        let mut config = Config::default();
        let mut context = Context::starting(Door::File);
        for text in FILE {
            if let Some(line) = command::parse(text, Door::File).unwrap() {
                command::apply(&mut config, &mut context, &line, &Anywhere).unwrap();
            }
        }
        assert_eq!(config.services.len(), 2);
    }

    #[test]
    fn control_lines_are_understood() {
        for example in PENCTL {
            let line = example.words[2..].join(" ");
            command::parse(&line, Door::Control).unwrap().unwrap();
        }
    }

    #[test]
    fn command_lines_of_the_log_tools_are_understood() {
        use pen_core::cli::tools::{mergelogs, penlog, penlogd};
        for example in PENLOG.iter().chain(PENLOGD).chain(MERGELOGS) {
            let words = example.words[1..].iter().map(std::ffi::OsString::from);
            let stopped = match example.words[0] {
                "penlog" => penlog::parse(words).err(),
                "penlogd" => penlogd::parse(words).err(),
                "mergelogs" => mergelogs::parse(words).err(),
                _ => pen_core::cli::parse(words).err(),
            };
            assert_eq!(stopped, None, "{}", example.typed());
        }
    }
}
