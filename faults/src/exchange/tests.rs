//! The judge against servers that do what is wrong, and against none that do.

use std::net::{SocketAddr, TcpListener};

use pen_test::{Place, TestServer};

use super::*;

fn played(number: u64, place: &Place, book: &Arc<Book>) -> Result<u64, Fault> {
    exchange(Wire::connect(place), &Plan::of(number), book)
}

#[test]
fn a_direct_way_has_no_faults() {
    let book = Arc::default();
    let server = TestServer::start("direct", serving(&book, Plan::of));
    for number in 0..150 {
        let outcome = played(number, server.place(), &book);
        assert!(outcome.is_ok(), "{:?}: {outcome:?}", Plan::of(number));
    }
}

#[test]
fn streams_do_not_depend_on_the_pieces() {
    let plan = Plan::of(5);
    let mut whole = [0; 1_000];
    plan.stream_up().fill(&mut whole);
    let (mut stream, mut pieces) = (plan.stream_up(), [0; 1_000]);
    for piece in pieces.chunks_mut(7) {
        stream.fill(piece);
    }
    assert_eq!(whole, pieces);
}

#[test]
fn every_fault_is_named() {
    let plan = Plan { number: 1, up: 10, down: 20, ending: Ending::Together };
    let view = |bytes, end| View { bytes, right: true, end };
    let (client, server) = (view(20, End::Eof), view(10, End::Eof));
    assert_eq!(judge(&plan, client, Some(server)), Ok(()));
    let judged = |client, server| judge(&plan, client, server).unwrap_err();
    assert_eq!(judged(view(19, End::Eof), Some(server)), Fault::FalseEnd);
    assert_eq!(judged(client, Some(view(9, End::Eof))), Fault::FalseEnd);
    assert_eq!(judged(View { right: false, ..client }, Some(server)), Fault::Mismatch);
    assert_eq!(judged(view(21, End::Reset), Some(server)), Fault::Mismatch);
    assert_eq!(judged(view(19, End::Reset), Some(server)), Fault::Cut);
    assert_eq!(judged(client, None), Fault::Cut);
    assert_eq!(judged(view(3, End::Silence), Some(server)), Fault::Stuck);
    let aborting = Plan { ending: Ending::ServerResets(5), ..plan };
    assert_eq!(judge(&aborting, view(3, End::Reset), None), Ok(()));
    assert_eq!(judge(&aborting, view(20, End::Eof), None), Err(Fault::AbortHidden));
    assert_eq!(judge(&aborting, view(5, End::Eof), None), Err(Fault::FalseEnd));
    assert_eq!(judge(&aborting, view(5, End::Silence), None), Err(Fault::AbortUnheard));
    let leaving = Plan { ending: Ending::ClientResets(5), ..plan };
    assert_eq!(judge(&leaving, view(0, End::Reset), Some(view(5, End::Eof))), Err(Fault::FalseEnd));
    assert_eq!(judge(&leaving, view(0, End::Reset), None), Ok(()));
}

#[test]
fn a_middle_that_cuts_is_found() {
    let book = Arc::default();
    let server = TestServer::start("far", serving(&book, Plan::clean));
    // Passes at most 1,000 bytes back and then finishes as if that were all.
    let middle = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::Tcp(middle.local_addr().unwrap());
    let Place::Tcp(far) = server.place().clone() else { unreachable!("it has an address") };
    std::thread::spawn(move || middle.incoming().flatten().for_each(|near| cut(near, far)));
    let number = (0..).find(|n| Plan::clean(*n).down > 5_000).unwrap();
    let outcome = exchange(Wire::connect(&place), &Plan::clean(number), &book);
    assert_eq!(outcome, Err(Fault::FalseEnd));
}

#[test]
fn what_a_server_says_late_of_an_aborted_client_is_judged() {
    let plan = Plan { number: 7, up: 10, down: 20, ending: Ending::ClientResets(5) };
    let said = |view: View| {
        let book = Book::default();
        assert_eq!(book.take_or_leave(&plan), None);
        book.note(plan.number, view);
        book.late()
    };
    let view = |bytes, end| View { bytes, right: true, end };
    assert!(said(view(5, End::Reset)).is_empty());
    assert_eq!(said(view(5, End::Eof)), [(Fault::FalseEnd, 1)].into());
    assert_eq!(said(View { right: false, ..view(5, End::Reset) }), [(Fault::Mismatch, 1)].into());
    // What it has said before is there at once.
    let book = Book::default();
    book.note(plan.number, view(5, End::Reset));
    assert_eq!(book.take_or_leave(&plan), Some(view(5, End::Reset)));
}

fn cut(near: std::net::TcpStream, far: SocketAddr) {
    use std::io::{Read, copy};
    let far = std::net::TcpStream::connect(far).unwrap();
    let (mut up, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    std::thread::spawn(move || copy(&mut up, &mut to));
    std::thread::spawn(move || {
        drop(copy(&mut far.take(1_000), &mut { &near }));
        drop(near.shutdown(std::net::Shutdown::Write));
    });
}
