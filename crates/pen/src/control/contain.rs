//! A defect of Pen that an order meets is that order's, as long as nothing is changed that anybody else sees.
//!
//! Contained are what comes from and goes to a session, the preparation of settings on a copy, everything of
//! a publication that may be refused, reports, `write` and `close`: whoever asked is told, the event `defect`
//! is, and what runs goes on as it was. Where settings become true (`publish/swap`), and in what changes
//! things at once (a server's sentence, new certificates, the program itself), nobody knows after a panic
//! whether what runs is whole: the process ends. So it does where it is not known whose the defect is.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use pen_core::event::{EventKey, Subject};
use pen_core::limits;

use super::Desk;
use super::tasks::Asker;
use crate::logs::{Level, Logs, Topic};
use crate::shared::{Order, Pool};

/// What whoever asked for a change is told.
pub const NOTHING_CHANGED: &str =
    "this met a defect of Pen, which is in the log; nothing has changed";
/// What whoever asked for anything else is told.
pub const NO_REPLY: &str = "this met a defect of Pen, which is in the log; it was not carried out";

const LAST_WORDS: &str =
    "error: this met a defect of Pen, which is in the log; what runs may not be whole, Pen ends\n";

/// Does what changes nothing that anybody else sees.
///
/// # Errors
/// As `work`, or `sentence` if it met a defect.
pub fn contained<T>(
    logs: &Logs,
    sentence: &str,
    work: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let text = "control: an order met a defect of Pen: it is not carried out, Pen goes on";
        logs.say_often(Topic::Defect, Level::Always, || text.to_owned());
        logs.event(Subject::new(EventKey::Defect), |e| e.saying(text));
        Err(sentence.to_owned())
    })
}

impl Desk {
    /// Does what may leave nobody knowing whether what runs is whole: a panic goes on, after whoever asked
    /// has been told. A session that just ends would look like one with nothing to say.
    pub(super) fn or_last_words<T>(
        &mut self,
        asker: Asker,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        done.unwrap_or_else(|panic| {
            match asker {
                Asker::Session(key) => self.answer(key, LAST_WORDS.to_owned()),
                Asker::Page(key) => {
                    let wish = self.wished.try_remove(key);
                    // The web thread may have stopped waiting.
                    wish.map(|wish| wish.reply.send(LAST_WORDS.to_owned()));
                }
                Asker::Reload => {}
            }
            resume_unwind(panic)
        })
    }
}

/// The control thread met a defect that is not contained: connections are reset, so that none looks
/// complete, and the process ends badly.
pub fn end(logs: &Logs, pool: &Pool) -> ! {
    let text = "the control thread met a defect of Pen; every connection is reset, Pen ends";
    end_badly(pool, || {
        logs.say(Level::Always, || text.to_owned());
        logs.event(Subject::new(EventKey::Defect), |e| e.saying(text));
        let _ = logs.flush(Duration::from_millis(limits::LAST_MOMENT_MS));
    })
}

/// The workers that can reset their connections, the last line is written, and the process ends.
pub(super) fn end_badly(pool: &Pool, last_words: impl FnOnce()) -> ! {
    for mailbox in &pool.mailboxes {
        mailbox.post(Order::Stop);
    }
    last_words();
    std::thread::sleep(Duration::from_millis(limits::LAST_MOMENT_MS));
    std::process::abort();
}
