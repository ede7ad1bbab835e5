//! Clients on their way from one worker to another.

use std::os::unix::net::UnixStream;

use pen_core::addr::ClientAddr;
use pen_core::config::ServiceConfig;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

fn newcomer() -> Newcomer {
    let tables = Tables {
        clients: ClientTable::new(1, [0; 2]),
        slots: Slots::new(1),
        handshakes: Handshakes::default(),
        arrivals: Arrivals::new([0; 2]),
    };
    let service = Service::new(0, Live::new(Arc::new(ServiceConfig::new("own"))), tables, 2);
    let (socket, _) = UnixStream::pair().unwrap();
    let peer = Peer { addr: ClientAddr::Unix, port: 0 };
    Newcomer { service: Arc::new(service), socket: socket.into(), peer }
}

fn rings(mailbox: &Mailbox) -> bool {
    let bell = mailbox.bell();
    poll(&mut [PollFd::new(&bell, PollFlags::IN)], Some(&Timespec::default())).unwrap() == 1
}

#[test]
fn clients_are_handed_over_until_the_worker_has_ended() {
    let mailbox = Mailbox::new().unwrap();
    for _ in 0..2 {
        assert!(!rings(&mailbox));
        mailbox.entrust(newcomer()).unwrap();
        assert!(rings(&mailbox));
        mailbox.entrust(newcomer()).unwrap();
        let orders = mailbox.collect();
        assert!(orders.iter().all(|o| matches!(o, Order::TakeOver(_))));
        assert_eq!(orders.len(), 2);
    }
    mailbox.entrust(newcomer()).unwrap();
    assert_eq!(mailbox.close().len(), 1, "the last ones are not lost");
    assert!(mailbox.entrust(newcomer()).is_err(), "nobody would ever serve it");
    assert!(mailbox.collect().is_empty());
}
