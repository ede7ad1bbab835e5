//! The files of the page, part of the program.

use pen_core::web::{Answer, Kind};

/// Path, kind, contents.
const FILES: &[(&str, Kind, &str)] = &[
    ("/", Kind::Html, include_str!("page/index.html")),
    ("/page.css", Kind::Css, include_str!("page/page.css")),
    ("/model.js", Kind::JavaScript, include_str!("page/model.js")),
    ("/page.js", Kind::JavaScript, include_str!("page/page.js")),
    ("/steer.js", Kind::JavaScript, include_str!("page/steer.js")),
    ("/view.js", Kind::JavaScript, include_str!("page/view.js")),
];

/// The file at `path`, if there is one.
pub(super) fn file(path: &str) -> Option<Answer> {
    let (_, kind, text) = FILES.iter().find(|(at, ..)| *at == path)?;
    Some(Answer::ok(*kind, *text))
}
