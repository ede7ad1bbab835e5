//! A network namespace of its own: nothing else talks on its loopback, and the settings of the
//! network that matter are known.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::balancers::in_path;

/// Tells the benchmark that it runs inside.
const INSIDE: &str = "PEN_BENCH_NETNS";

/// What is set inside, if the kernel takes it: room for short connections, and what Linux does
/// where nobody has changed it.
const SETTINGS: [(&str, &str); 3] = [
    ("net/ipv4/ip_local_port_range", "1025 65535"),
    ("net/ipv4/tcp_max_syn_backlog", "4096"),
    ("net/core/somaxconn", "4096"),
];

/// Whether this process was started by [`enter`].
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Congestion controls, the wanted one first: Linux's own, and what every kernel lets a namespace
/// have. Others pace, which costs timers that have nothing to do with a balancer.
const CONGESTION: &str = "cubic reno";

/// Runs this program again in a new namespace, with the same words; answers its end.
///
/// # Errors
/// No right or no program to make namespaces.
pub fn enter() -> Result<ExitCode, String> {
    let wanted = "--netns wants unshare (util-linux) and ip (iproute2)";
    let unshare = in_path("unshare").filter(|_| in_path("ip").is_some()).ok_or(wanted)?;
    let mut script = String::from("ip link set lo up || exit 2\n");
    for (name, value) in SETTINGS {
        script += &format!("echo {value} 2>/dev/null > /proc/sys/{name}\n");
    }
    script += &format!(
        "for name in {CONGESTION}; do echo $name 2>/dev/null \
         > /proc/sys/net/ipv4/tcp_congestion_control && break; done\n"
    );
    script += "exec \"$@\"\n";
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(unshare);
    command.arg("--net");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    command.args(["sh", "-c", &script, "sh"]).arg(this).args(words).env(INSIDE, "1");
    let status = command.status().map_err(|e| format!("unshare: {e}"))?;
    let code = status.code().and_then(|c| u8::try_from(c).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
