//! Urgent bytes (MSG_OOB) of both sides.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use pen_test::scaled;
use socket2::SockRef;

use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(7, "urgent bytes of both sides", "they stay in their place; under 5 ticks in 2 s")
};

fn run(stage: &Stage) -> Verdict {
    let tries = stage.of(200, 20);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
    let server = listener.local_addr().expect("it is bound").to_string();
    let pen = stage.start(&Setup::of([server]));
    let mut right = 0;
    let mut last = None;
    for _ in 0..tries {
        let pair = || {
            let client = TcpStream::connect(pen.place.word())?;
            Ok::<_, std::io::Error>((client, listener.accept()?.0))
        };
        let Ok((client, served)) = pair() else { continue };
        let both = passes(&client, &served) && passes(&served, &client);
        last = Some((client, served));
        if !both {
            // Who cannot do it would be waited for each time.
            break;
        }
        right += 1;
    }
    // An urgent byte that nobody takes must not keep it busy.
    if let Some((client, served)) = &last {
        drop(SockRef::from(client).send_out_of_band(b"!"));
        drop(SockRef::from(served).send_out_of_band(b"!"));
    }
    let ticks = pen.ticks_in(Duration::from_secs(2));
    let place = if right == tries { "all in place" } else { "not in place" };
    let figures = format!("{place}, {ticks} ticks");
    Verdict::of(right == tries && ticks < 5, figures)
}

/// Whether an urgent byte arrives where it was sent.
fn passes(from: &TcpStream, to: &TcpStream) -> bool {
    let sent = { from }.write_all(b"ab").is_ok()
        && SockRef::from(from).send_out_of_band(b"!").is_ok()
        && { from }.write_all(b"cd\n").is_ok();
    // Where it was urgent to Pen it may be urgent to the receiver.
    let ready = SockRef::from(to).set_out_of_band_inline(true).is_ok()
        && to.set_read_timeout(Some(scaled(Duration::from_secs(2)))).is_ok();
    let (mut got, mut byte) = (Vec::new(), [0]);
    while got.last() != Some(&b'\n') && matches!({ to }.read(&mut byte), Ok(1)) {
        got.push(byte[0]);
    }
    sent && ready && got == b"ab!cd\n"
}
