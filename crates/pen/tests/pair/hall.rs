//! The machines: a client, two balancers with Pen and keepalived, two servers, at one switch.

use std::net::SocketAddr;
use std::process::Command;

use pen_test::{
    Host, Place, Program, Scratch, Sig, TestServer, acts, is_root, pen_program, penctl_program,
    run_here, until,
};

/// The service's addresses.
pub const VIP: &str = "192.0.2.1";
pub const VIP6: &str = "2001:db8::1";
/// What makes the switch, which is in the test's own namespace.
pub const SWITCH: &str =
    "ip link add lan type bridge mcast_snooping 0 forward_delay 0 && ip link set lan up";
/// Addresses of the client: 192.0.2.101 and so on.
pub const CLIENTS: u8 = 8;

const KIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dist/keepalived");

/// Everything plugged in.
pub struct Hall {
    pub client: Host,
    pub pens: [Machine; 2],
    pub servers: Vec<Host>,
    /// They end with it.
    served: Vec<TestServer>,
}

/// A balancer.
pub struct Machine {
    pub host: Host,
    port: String,
    scratch: Scratch,
    pen: Option<(Program, Scratch)>,
    keepalived: Option<(Program, Scratch)>,
}

/// Why there is nothing to be tested here.
pub fn lacking() -> Option<String> {
    if !is_root() {
        return Some("keepalived and namespaces need root".to_owned());
    }
    let there = Command::new("keepalived").arg("--version").output();
    there.is_err().then(|| "no keepalived here".to_owned())
}

impl Hall {
    /// The machines, with nothing running on the balancers.
    pub fn new() -> Self {
        let client = Host::new("the client");
        plug(&client, "c0");
        for n in 1..=CLIENTS {
            client.run(&format!("ip address add 192.0.2.{}/24 dev eth0", 100 + n));
        }
        client.run("ip address add 2001:db8::100/64 dev eth0 nodad");
        let servers = (0..2).map(|n| {
            let host = Host::new("a server");
            plug(&host, &format!("w{n}"));
            host.run(&format!("ip address add 192.0.2.{}/24 dev eth0", 11 + n));
            host
        });
        let mut hall = Self {
            client,
            servers: servers.collect(),
            served: Vec::new(),
            pens: [Machine::new(0), Machine::new(1)],
        };
        hall.serve(["192.0.2.11", "192.0.2.12"]);
        hall
    }

    /// Servers that say their number and whom they see, at port 80 of these addresses.
    pub fn serve(&mut self, at: [&str; 2]) {
        for (n, (host, ip)) in self.servers.iter().zip(at).enumerate() {
            let place = Place::Tcp(SocketAddr::new(ip.parse().expect("an address"), 80));
            let name = n.to_string();
            let server = host.inside(|| TestServer::start_at(&name, &place, acts::banner()));
            self.served.push(server);
        }
    }

    /// Pen and keepalived on both, the first one has the address.
    pub fn up(&mut self) {
        self.up_with(SETTINGS, configuration);
        assert!(self.pens[0].has_address() && !self.pens[1].has_address());
    }

    /// The same with other settings and another file of keepalived, which is told the control address.
    pub fn up_with(&mut self, settings: &str, configuration: fn(&str) -> String) {
        for machine in &mut self.pens {
            machine.start_pen(settings);
        }
        self.pens[0].start_keepalived_with(&configuration(&self.pens[0].control()));
        until("the first to be master", || self.pens[0].is("MASTER").then_some(()));
        self.pens[1].start_keepalived_with(&configuration(&self.pens[1].control()));
        self.settle();
    }

    /// Waits until exactly one has the address and the other has heard of it.
    pub fn settle(&self) {
        until("one to have the address", || {
            let [a, b] = &self.pens;
            (a.is("MASTER") && b.is("BACKUP") || a.is("BACKUP") && b.is("MASTER")).then_some(())
        });
    }

    /// The number of the one that has the address.
    pub fn active(&self) -> usize {
        until("an active one", || (0..2).find(|n| self.pens[*n].is("MASTER")))
    }
}

/// What both have.
pub const SETTINGS: &str = "freebind\nlisten 192.0.2.1:80 [2001:db8::1]:80\nhash\nblacklist 1\n\
                            server 0 address 192.0.2.11 port 80\nserver 1 address 192.0.2.12 port 80\n";

impl Machine {
    fn new(n: u8) -> Self {
        let host = Host::new("a balancer");
        let port = format!("p{n}");
        plug(&host, &port);
        host.run(&format!("ip address add 192.0.2.{}/24 dev eth0", 2 + n));
        host.run(&format!("ip address add 2001:db8::{}/64 dev eth0 nodad", 2 + n));
        host.run("sysctl -q -p - <<END\n$(cat)\nEND\n".replace("$(cat)", SYSCTLS).as_str());
        Self { host, port, scratch: Scratch::new(), pen: None, keepalived: None }
    }

    /// Where its Pen is controlled.
    pub fn control(&self) -> String {
        self.scratch.path("ctl").display().to_string()
    }

    /// Starts Pen and waits until it answers.
    pub fn start_pen(&mut self, settings: &str) {
        let file = self.scratch.write("pen.conf", settings);
        let scratch = Scratch::new();
        let mut command = Command::new(pen_program());
        command.args(["-f", "-u", "root", "-C", &self.control(), "-F"]).arg(file);
        let program = self.host.inside(|| Program::start(command, &scratch));
        self.pen = Some((program, scratch));
        until("pen to be ready", || (self.ctl("ready") == "ready\n").then_some(()));
    }

    /// Starts keepalived with the file that is shipped.
    pub fn start_keepalived(&mut self) {
        self.start_keepalived_with(&configuration(&self.control()));
    }

    /// Starts keepalived with this file.
    pub fn start_keepalived_with(&mut self, configuration: &str) {
        let file = self.scratch.write("keepalived.conf", configuration);
        // As after the start of a machine.
        for file in ["ctl.vrrp", "keepalived.pid", "vrrp.pid"] {
            drop(std::fs::remove_file(self.scratch.path(file)));
        }
        let scratch = Scratch::new();
        let mut command = Command::new("keepalived");
        let path = std::env::var("PATH").unwrap_or_default();
        let programs = penctl_program().parent().map(|p| p.display().to_string());
        command.env("PATH", format!("{}:{path}", programs.unwrap_or_default()));
        command.args(["-n", "-l", "-D", "-P", "-R", "-f"]).arg(file);
        for (option, file) in
            [("-p", "keepalived"), ("-r", "vrrp"), ("-c", "checker"), ("-b", "bfd")]
        {
            command.arg(option).arg(self.scratch.path(&format!("{file}.pid")));
        }
        let program = self.host.inside(|| Program::start(command, &scratch));
        self.keepalived = Some((program, scratch));
    }

    /// The reply to a control command; nothing if nobody answers.
    pub fn ctl(&self, line: &str) -> String {
        let mut command = Command::new(penctl_program());
        let output = command.args(["--timeout", "1", &self.control()]).arg(line).output();
        String::from_utf8_lossy(&output.expect("penctl is built").stdout).into_owned()
    }

    /// Whether keepalived has told it this state.
    pub fn is(&self, state: &str) -> bool {
        let told = std::fs::read_to_string(self.scratch.path("ctl.vrrp"));
        told.is_ok_and(|told| told.trim() == state)
    }

    /// Whether its interface has the address.
    pub fn has_address(&self) -> bool {
        self.host.inside(|| {
            let output = Command::new("ip").args(["-o", "address"]).output();
            let shown = String::from_utf8_lossy(&output.expect("ip is there").stdout).into_owned();
            shown.contains(&format!("{VIP}/")) && shown.contains(&format!("{VIP6}/"))
        })
    }

    /// Everything of Pen and keepalived that runs, parents first.
    fn pids(&self) -> Vec<u32> {
        let child = std::fs::read_to_string(self.scratch.path("vrrp.pid")).unwrap_or_default();
        let parent = self.keepalived.as_ref().map(|(program, _)| program.pid());
        let pen = self.pen.as_ref().map(|(program, _)| program.pid());
        let child = child.trim().parse().ok().filter(|_| parent.is_some());
        parent.into_iter().chain(child).chain(pen).collect()
    }

    /// All of it gets a signal.
    pub fn signal(&self, signal: Sig) {
        self.pids().into_iter().for_each(|pid| signal.send(pid));
    }

    /// Its Pen gets a signal.
    pub fn signal_pen(&self, signal: Sig) {
        signal.send(self.pen.as_ref().expect("it runs").0.pid());
    }

    /// All of it is gone at once. keepalived has no chance to give the address up.
    pub fn kill(&mut self) {
        self.signal(Sig::Stop);
        self.signal(Sig::Kill);
        (self.pen, self.keepalived) = (None, None);
    }

    /// Pen is gone.
    pub fn kill_pen(&mut self) {
        self.signal_pen(Sig::Kill);
        self.pen = None;
    }

    /// keepalived ends in good order and gives the address up.
    pub fn stop_keepalived(&mut self) {
        if let Some((program, _)) = self.keepalived.take() {
            Sig::Term.send(program.pid());
            program.finished();
        }
    }

    /// The machine comes back after it was gone: nothing of before is left on its interface.
    pub fn boot(&mut self) {
        self.host.run(&format!(
            "ip address del {VIP}/24 dev eth0 2>&- || :; ip address del {VIP6}/64 dev eth0 2>&- || :"
        ));
        self.start_pen(SETTINGS);
        self.start_keepalived();
    }

    /// Its cable is in the switch, or not: then nobody hears it, and it sees that.
    pub fn cable(&self, plugged: bool) {
        run_here(&format!("ip link set {} {}", self.port, if plugged { "up" } else { "down" }));
    }

    /// The same, but it does not see it: the switch is at fault.
    pub fn reach(&self, plugged: bool) {
        let how = if plugged { "master lan" } else { "nomaster" };
        run_here(&format!("ip link set {} {how}", self.port));
    }

    /// What was said, for a test that fails.
    pub fn said(&self) -> String {
        let of = |program: &Option<(Program, Scratch)>| {
            program.as_ref().map(|(p, _)| p.stdout() + &p.stderr()).unwrap_or_default()
        };
        format!("pen:\n{}\nkeepalived:\n{}", of(&self.pen), of(&self.keepalived))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} said:\n{}", self.port, self.said());
        }
        self.kill();
    }
}

const SYSCTLS: &str = include_str!("../../../../dist/keepalived/60-pen-pair.conf");

/// The file that is shipped, for a Pen that is controlled here.
pub fn configuration(control: &str) -> String {
    let shipped = include_str!("../../../../dist/keepalived/keepalived.conf");
    assert!(shipped.contains("\"/etc/keepalived/pen-") && shipped.contains("/run/pen.ctl"));
    shipped.replace("\"/etc/keepalived", &format!("\"{KIT}")).replace("/run/pen.ctl", control)
}

/// Plugs a machine into the switch.
fn plug(host: &Host, port: &str) {
    host.cable("eth0", port);
    run_here(&format!("ip link set {port} master lan"));
}
