//! Machines on which a page's commands are typed: each a shell in network, mount and process namespaces
//! of its own, with its own copy of /etc and empty places for what programs write. Nothing it does
//! reaches the host, and nothing of it outlives it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pen_test::{Host, Scratch, log_tool, pen_program, penctl_program, scaled};

/// What the shell of a machine does first, and then with each number it reads.
const SHELL: &str = include_str!("shell.sh");
/// Databases make their files in this time on a slow machine; everything else is much quicker.
const LIMIT: Duration = Duration::from_secs(90);

/// The machines of a page.
pub struct Machines {
    all: Vec<Machine>,
    /// What they are joined by, each with its `eth0`.
    _cables: Host,
    /// A directory that all of them see: `$SHARED`.
    _shared: Scratch,
}

/// One of them.
struct Machine {
    name: String,
    shell: Child,
    scratch: Scratch,
    typed: usize,
}

/// What became of a command.
pub struct Ran {
    pub status: i32,
    pub printed: String,
}

impl Machines {
    /// As many as there are names.
    pub fn start(names: &[&str]) -> Self {
        let shared = Scratch::new();
        let all: Vec<Machine> = names.iter().map(|n| Machine::start(n, shared.dir())).collect();
        let cables = Host::new("the cables");
        cables.run("ip link add lan type bridge mcast_snooping 0; ip link set lan up");
        for (n, machine) in all.iter().enumerate() {
            let pid = machine.shell.id();
            cables.run(&format!("ip link add c{n} type veth peer name eth0 netns {pid}"));
            cables.run(&format!("ip link set c{n} master lan up"));
        }
        Self { all, _cables: cables, _shared: shared }
    }

    /// Types something on a machine and waits for its end.
    pub fn run(&mut self, name: &str, text: &str) -> Ran {
        let machine = self.all.iter_mut().find(|m| m.name == name);
        machine.unwrap_or_else(|| panic!("no machine is called {name}")).run(text)
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.all.iter().map(|m| m.name.clone()).collect()
    }
}

impl Machine {
    fn start(name: &str, shared: &Path) -> Self {
        let scratch = Scratch::new();
        let programs = scratch.path("bin");
        std::fs::create_dir(&programs).expect("the scratch directory is ours");
        let tools = ["penlog", "penlogd", "mergelogs"].map(log_tool);
        for program in [pen_program(), penctl_program()].into_iter().chain(tools) {
            let name = program.file_name().expect("a program has a name");
            std::os::unix::fs::symlink(&program, programs.join(name)).expect("ours");
        }
        let errors = std::fs::File::create(scratch.path("shell.err")).expect("ours");
        let mut unshare = Command::new("unshare");
        unshare
            .args([
                "--mount",
                "--net",
                "--pid",
                "--uts",
                "--ipc",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .args(["bash", "-c", SHELL, "bash"])
            .arg(scratch.dir())
            .env_clear()
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display()))
            .env("HOME", "/srv")
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env("MACHINE", name)
            .env("SHARED", shared)
            .env("REPOSITORY", crate::root())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(errors);
        let shell = unshare.spawn().expect("unshare starts");
        let mut machine = Self { name: name.to_owned(), shell, scratch, typed: 0 };
        let ready = machine.run("true");
        assert_eq!(ready.status, 0, "{}", ready.printed);
        machine
    }

    fn run(&mut self, text: &str) -> Ran {
        self.typed += 1;
        let file = |what: &str| -> PathBuf { self.scratch.path(&format!("{}.{what}", self.typed)) };
        std::fs::write(file("typed"), text).expect("ours");
        let stdin = self.shell.stdin.as_mut().expect("piped");
        writeln!(stdin, "{}", self.typed).unwrap_or_else(|e| panic!("{e}: {}", self.complaints()));
        let end = Instant::now() + scaled(LIMIT);
        loop {
            let printed = read(&file("printed"));
            if let Ok(status) = read(&file("status")).trim().parse() {
                return Ran { status, printed: read(&file("printed")) };
            }
            let ended = self.shell.try_wait().ok().flatten();
            assert!(ended.is_none(), "{}: the shell ended: {}", self.name, self.complaints());
            assert!(Instant::now() < end, "{}: '{text}' does not end:\n{printed}", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn complaints(&self) -> String {
        read(&self.scratch.path("shell.err"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The shell is the first process of its namespace: all others go with it.
        drop(self.shell.kill());
        drop(self.shell.wait());
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Whether this host lets us make machines; else why not.
pub fn possible() -> Result<(), String> {
    if !pen_test::is_root() {
        return Err("machines with a network and files of their own need root".to_owned());
    }
    let tried = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc"])
        .args(["sh", "-c", "mount -t tmpfs none /srv && ip link set lo up"])
        .output();
    match tried {
        Ok(o) if o.status.success() => Ok(()),
        Ok(o) => Err(String::from_utf8_lossy(&o.stderr).trim().to_owned()),
        Err(e) => Err(format!("unshare: {e}")),
    }
}
