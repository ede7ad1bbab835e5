//! The examples of the manual pages: `docs/examples`, whose commands the tests of `crates/pen/tests/guides`
//! run. Here they are only understood, which needs no machine of its own.

/// Of `pen(1)`.
pub const PEN: &str = include_str!("../../../docs/examples/pen.1.md");
/// Of `pen.conf(5)`.
pub const CONF: &str = include_str!("../../../docs/examples/pen.conf.5.md");
/// Of `penctl(1)`.
pub const PENCTL: &str = include_str!("../../../docs/examples/penctl.1.md");
/// Of `penlog(1)`.
pub const PENLOG: &str = include_str!("../../../docs/examples/penlog.1.md");
/// Of `penlogd(1)`.
pub const PENLOGD: &str = include_str!("../../../docs/examples/penlogd.1.md");
/// Of `mergelogs(1)`.
pub const MERGELOGS: &str = include_str!("../../../docs/examples/mergelogs.1.md");

/// What examples are made of.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A paragraph, its lines joined.
    Text(String),
    /// The lines of a fenced block, and what its first line says of it.
    Block(&'a str, Vec<&'a str>),
}

/// The pieces of a page of examples.
pub fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut lines = page.lines();
    let mut text: Vec<&str> = Vec::new();
    while let Some(line) = lines.next() {
        let info = line.strip_prefix("```");
        if (info.is_some() || line.is_empty()) && !text.is_empty() {
            pieces.push(Piece::Text(text.join(" ")));
            text.clear();
        }
        match info {
            Some(info) => {
                pieces
                    .push(Piece::Block(info, lines.by_ref().take_while(|l| *l != "```").collect()));
            }
            None if line.is_empty() => {}
            None => text.push(line),
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.join(" ")));
    }
    pieces
}

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

    /// The commands of blocks, as words; what a shell does with the rest of the line is left out.
    fn typed(page: &str) -> Vec<Vec<String>> {
        let blocks = pieces(page).into_iter().filter_map(|p| match p {
            Piece::Block(info, lines) if info.starts_with("console") && !info.contains("fails") => {
                Some(lines)
            }
            _ => None,
        });
        let lines = blocks.flatten().filter_map(|l| l.strip_prefix("# ").or(l.strip_prefix("$ ")));
        lines.flat_map(|l| l.split(" | ")).map(words).collect()
    }

    fn words(line: &str) -> Vec<String> {
        let parts = line.split('\'').enumerate();
        let all = parts.flat_map(|(n, part)| match n % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        all.take_while(|w| w != "&" && w != "&&" && !w.starts_with('>')).collect()
    }

    fn understood(words: &[String]) {
        use pen_core::cli::tools::{mergelogs, penctl, penlog, penlogd};
        let rest = words[1..].iter().map(std::ffi::OsString::from);
        let stopped = match words[0].as_str() {
            "penctl" => penctl::parse(rest, None).err(),
            "penlog" => penlog::parse(rest).err(),
            "penlogd" => penlogd::parse(rest).err(),
            "mergelogs" => mergelogs::parse(rest).err(),
            "pen" => match pen_core::cli::parse(rest) {
                Ok(launch) => {
                    let mut config = Config::default();
                    launch.apply_options(&mut config, &Anywhere, &mut |_, _, _| Ok(())).unwrap();
                    launch.apply_operands(&mut config, &Anywhere, &[]).unwrap();
                    None
                }
                Err(stopped) => Some(stopped),
            },
            _ => None,
        };
        assert_eq!(stopped, None, "{words:?}");
    }

    #[test]
    fn command_lines_are_understood() {
        let pages = [PEN, CONF, PENCTL, PENLOG, PENLOGD, MERGELOGS];
        let lines: Vec<Vec<String>> = pages.iter().flat_map(|p| typed(p)).collect();
        for name in ["pen", "penctl", "penlog", "penlogd", "mergelogs"] {
            assert!(lines.iter().any(|l| l[0] == name), "no example of {name}");
        }
        lines.iter().for_each(|l| understood(l));
    }

    #[test]
    fn control_lines_are_understood() {
        let lines = typed(PENCTL);
        let mut wrong = Vec::new();
        for words in lines.iter().filter(|w| w[0] == "penctl") {
            let line = words[2..].join(" ");
            if command::parse(&line, Door::Control).is_err() {
                wrong.push(line);
            }
        }
        // What penctl does itself.
        assert_eq!(wrong, ["-", "top"]);
    }

    #[test]
    fn the_file_is_understood() {
        let mut config = Config::default();
        let mut context = Context::starting(Door::File);
        let blocks = pieces(CONF);
        let file = blocks.iter().find_map(|p| match p {
            Piece::Block(info, lines) if info.contains("file=/etc/pen.conf") => Some(lines),
            _ => None,
        });
        for text in file.unwrap() {
            if let Some(line) = command::parse(text, Door::File).unwrap() {
                command::apply(&mut config, &mut context, &line, &Anywhere).unwrap();
            }
        }
        assert_eq!(config.services.len(), 2);
    }
}
