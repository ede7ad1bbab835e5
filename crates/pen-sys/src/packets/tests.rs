//! Frames through the loopback's twin: a pair of interfaces in a network of its own is the daemon's
//! test; here is what needs no network.

use super::*;

#[test]
fn loopback_is_no_ethernet() {
    let why = interface("lo").unwrap_err().to_string();
    assert!(why.contains("not an Ethernet"), "{why}");
    assert!(interface("nosuchthing0").is_err());
    assert!(interface("a-name-that-is-too-long").is_err());
    assert!(interface("").is_err());
}

#[test]
fn this_machine_has_a_loopback() {
    let Ok(all) = addresses() else { return };
    let lo = all.iter().find(|a| a.ip.is_loopback() && a.ip.is_ipv4());
    assert!(lo.is_none_or(|a| a.mask == Some([255, 0, 0, 0].into())), "{all:?}");
}

#[test]
fn a_tag_moves_what_is_to_be_done() {
    let frame: Vec<u8> = (0..60).collect();
    // Needs a checksum, which begins at byte 34 and goes to byte 16 of what follows.
    let offload = [
        [1, 0, 0, 0, 0, 0],
        [34_u16.to_ne_bytes(), 16_u16.to_ne_bytes(), [0, 0]].concat().try_into().unwrap(),
    ]
    .concat();
    let offload = Offload::read(&offload).unwrap();
    let plain = Parcel::new(&frame, ([7; 6], [8; 6]), None, offload);
    assert_eq!(plain.size(), 60);
    let tagged = Parcel::new(&frame, ([7; 6], [8; 6]), Some([0x81, 0, 0, 5]), offload);
    assert_eq!(tagged.size(), 64);
    assert_ne!(offload, Offload::default());
}
