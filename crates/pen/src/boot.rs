//! From the command line to a running service, step by step, in the order an operator knows.
//!
//! Everything that can be wrong with words is found before anything is opened; everything that
//! needs root is opened before the rights are given up; the parent of a background start returns
//! only when the service listens.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pen_core::addr::Place;
use pen_core::cli::{self, Launch, Stop};
use pen_core::config::Config;
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::inspection::Verdict;
use pen_core::limits;
use pen_core::listen_word;
use pen_core::sandbox::{Level as SandboxLevel, Named};
use pen_sys::activation;
use pen_sys::addresses::Addresses;
use pen_sys::launcher::{Launcher, Program};
use pen_sys::notify::Notify;
use pen_sys::pidfile::PidFile;
use pen_sys::services::Services;
use pen_sys::signals::{self, Signals};
use pen_sys::{clock, descriptors, localtime, rlimit};

use crate::built;
use crate::compose::{self, Composed};
use crate::control::door::ControlDoor;
use crate::control::perform::{self, Origin};
use crate::control::upgrade::Means;
use crate::control::{self, Control, ExitReason};
use crate::demo::{self, Farm};
use crate::inspection;
use crate::lifecycle::{self, Begun, Exit, Failure, Rights, Start};
use crate::logs::{Level, Logs};
use crate::memory::{self, Gauge};
use crate::names::AskedNames;
use crate::publish::{self, Running};
use crate::sandbox;
use crate::shared::{Order, Pool};
use crate::socket_options;
use crate::transparent;
use crate::upgrade::{Estate, Predecessor};
use crate::worker;

/// Runs Pen with these arguments (without the program's name).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let count = activation::count();
    // Kernels before 5.9 cannot; then they stay, as for every other program.
    let _ = descriptors::close_inherited(count);
    let predecessor = Predecessor::look();
    let estate = match predecessor.as_ref().map(Predecessor::estate).transpose() {
        Ok(Some(left)) => left,
        Ok(None) => Estate::of_manager(count),
        Err(why) => {
            lifecycle::complain(&why);
            return Exit::Failed.into();
        }
    };
    // The clock counts from its first reading.
    let _ = clock::monotonic_ms();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let check = arguments.iter().any(|word| word == "--check");
    match prepare(arguments) {
        Ok(Some(plan)) => go(plan, estate, predecessor),
        Ok(None) => Exit::Clean.into(),
        Err(stop) => {
            if let Some(predecessor) = predecessor {
                predecessor.fail(stop.stderr.trim().trim_start_matches("pen: "));
            }
            end(&stop, check)
        }
    }
}

/// Everything that is known before anything is opened.
struct Plan {
    /// As given.
    arguments: Vec<OsString>,
    launch: Launch,
    composed: Composed,
    rights: Rights,
    services: Arc<Services>,
    names: AskedNames,
    /// The servers of `--demo`.
    farm: Option<Farm>,
}

fn prepare(arguments: Vec<OsString>) -> Result<Option<Plan>, Stop> {
    let mut launch = cli::parse(arguments.clone()).map_err(built::told)?;
    for notice in &launch.notices {
        lifecycle::complain(notice);
    }
    let farm = match launch.demo {
        Some(_) => Some(demo::prepare(&mut launch)?),
        None => None,
    };
    let services = Arc::new(Services::load());
    let names = AskedNames::new(Arc::clone(&services));
    let composed = compose::compose(&launch, &names)?;
    let jail = launch.jail.as_deref().map(Path::new);
    let rights = Rights::look_up(launch.user.as_deref(), jail)
        .map_err(|failure| Stop::failure(&failure.text))?;
    if launch.check {
        let nothing = Config { services: Vec::new(), ..Config::default() };
        let cautions = socket_options::check(&nothing, &composed.config).and_then(|mut told| {
            told.extend(transparent::check_words(&nothing, &composed.config)?);
            Ok(told)
        });
        for warning in cautions.map_err(|why| Stop::failure(&why))? {
            lifecycle::complain(&format!("WARNING: {warning}"));
        }
        report_check(&composed)?;
        if launch.live {
            report_host(&launch, &composed)?;
        }
        return Ok(None);
    }
    Ok(Some(Plan { arguments, launch, composed, rights, services, names, farm }))
}

fn report_check(composed: &Composed) -> Result<(), Stop> {
    for notice in &composed.outcome.notices {
        lifecycle::complain(notice);
    }
    if let Some(missing) = &composed.missing {
        lifecycle::complain(&format!("WARNING: {missing}"));
    }
    for warning in publish::check(&composed.config).map_err(|why| Stop::failure(&why))? {
        lifecycle::complain(&format!("WARNING: {warning}"));
    }
    perform::print("configuration is good\n");
    Ok(())
}

/// Looks at the host. Whatever is wrong is an end with status 1.
fn report_host(launch: &Launch, composed: &Composed) -> Result<(), Stop> {
    let config = &composed.config;
    let mut findings = inspection::inspect(config);
    findings.extend(sandbox::inspect(config, &named(launch, composed)));
    for finding in &findings {
        perform::print(&format!("{finding}\n"));
    }
    match findings.iter().filter(|f| f.verdict == Verdict::Wrong).count() {
        0 => Ok(()),
        n => Err(Stop::failure(&format!("{n} of {} findings are wrong", findings.len()))),
    }
}

/// Ends before anything was opened. `--check` answers 0 or 1, whatever is wrong.
fn end(stop: &Stop, check: bool) -> ExitCode {
    perform::print(&stop.stdout);
    // Nobody may be reading; there is nobody else to tell.
    let _ = io::stderr().write_all(stop.stderr.as_bytes());
    ExitCode::from(if check { stop.status.min(1) } else { stop.status })
}

fn go(mut plan: Plan, estate: Estate, predecessor: Option<Predecessor>) -> ExitCode {
    let abort = plan.composed.config.process.abort_on_error;
    let background = !plan.launch.foreground;
    let start = match lifecycle::begin(background, predecessor) {
        Ok(Begun::Parent(status)) => return status,
        Ok(Begun::Service(start)) => start,
        Err(failure) => {
            lifecycle::complain(&failure.text);
            return failure.exit.into();
        }
    };
    let launcher = launcher(&plan, background);
    let mut farm = plan.farm.take();
    let _leftovers = farm.as_mut().map(Farm::leftovers);
    let opened = open(&plan, estate, launcher, &start).and_then(|house| {
        farm.map_or(Ok(()), Farm::start).map_err(cannot("start the demo servers"))?;
        Ok(house)
    });
    match opened {
        Ok(house) => serve(plan, house, start),
        Err(failure) => fail(start, &failure, abort),
    }
}

/// What can start the program anew later on, with the rights of this moment; or why there is none. Where
/// rights are given up for good, nobody is to keep them for it.
fn launcher(plan: &Plan, background: bool) -> Result<Launcher, String> {
    let level = plan.composed.config.process.sandbox.level;
    let given_up = match () {
        () if plan.farm.is_some() => return Err("--demo is started by hand".to_owned()),
        () if level == SandboxLevel::Strict => "in 'sandbox strict'",
        () if plan.launch.jail.is_some() => "inside the directory of -j",
        () if !plan.rights.stay() => "as another user (-u)",
        () => {
            let program = Program::own(plan.arguments.clone());
            let forked = program.and_then(|program| Launcher::fork(program, background));
            return forked.map_err(|e| format!("there is no launcher: {e}"));
        }
    };
    Err(format!(
        "{given_up} nothing can be started any more; under systemd 'systemctl restart' loses no \
         connection that waits (docs/upgrade.md)"
    ))
}

fn fail(start: Start, failure: &Failure, abort: bool) -> ExitCode {
    let status = start.fail(failure);
    if abort {
        std::process::abort();
    }
    status
}

/// Everything that is open when the service starts to serve.
struct House {
    signals: Signals,
    notify: Notify,
    logs: Logs,
    running: Running,
    control: Option<ControlDoor>,
    pid_file: Option<PidFile>,
    workers: Vec<JoinHandle<()>>,
    launcher: Result<Launcher, String>,
    addresses: Option<Addresses>,
}

/// Opens everything, gives up the rights, starts the threads.
fn open(
    plan: &Plan,
    mut estate: Estate,
    launcher: Result<Launcher, String>,
    start: &Start,
) -> Result<House, Failure> {
    let config = &plan.composed.config;
    let signals = signals::open().map_err(cannot("handle signals"))?;
    let notify = Notify::from_environment().map_err(cannot("reach the service manager"))?;
    localtime::load();
    let descriptors = rlimit::raise_descriptors();
    let cores = config.process.abort_on_error || config.process.debug > 0;
    rlimit::core_files(cores).map_err(cannot("limit core files"))?;
    let (logs, writer) = Logs::open(start.is_background(), config.process.debug);
    let doors = open_doors(plan, &mut estate, &logs).and_then(|doors| {
        shut_in(plan, &logs, cores)?;
        Ok(doors)
    });
    // Threads have the rights that are left when they start: none runs before.
    writer.start().map_err(cannot("start the log thread"))?;
    let opened = doors.and_then(|doors| open_with(plan, &logs, descriptors, doors, estate));
    if opened.is_err() {
        // What was said on the way explains the failure.
        let _ = logs.flush(Duration::from_secs(limits::LAST_LINES_S));
    }
    let (running, control, pid_file, workers) = opened?;
    let addresses = Addresses::open().inspect_err(|e| {
        running.warn(format!("addresses of this machine are not watched: {e}"));
    });
    let addresses = addresses.ok();
    Ok(House { signals, notify, logs, running, control, pid_file, workers, launcher, addresses })
}

type Opened = (Running, Option<ControlDoor>, Option<PidFile>, Vec<JoinHandle<()>>);

/// What is opened with the rights of the start.
struct Doors {
    workers: usize,
    opened: publish::Opened,
    control: Option<ControlDoor>,
    gauge: Gauge,
}

fn open_doors(plan: &Plan, estate: &mut Estate, logs: &Logs) -> Result<Doors, Failure> {
    let config = &plan.composed.config;
    let workers = worker_count(config);
    let others = estate.others;
    if others > 0 {
        logs.say(Level::Always, || {
            format!(
                "WARNING: {others} of the descriptors that the service manager handed over are no \
                 listeners; they are closed"
            )
        });
    }
    let mut handed = estate.pool();
    let place = control_place(plan, logs)?;
    let near = place.as_ref().is_some_and(|place| handed.is_near(place));
    let control = place.as_ref().and_then(|place| handed.take_one(place));
    let opened = publish::open(config, workers, handed).map_err(Failure::new)?;
    let control = place.map(|place| match control {
        Some(socket) => Ok(ControlDoor::adopt(&place, socket)),
        None => open_control(plan, &place, near),
    });
    let control = control.transpose()?;
    Ok(Doors { workers, opened, control, gauge: Gauge::open() })
}

/// Gives up what is not needed any more.
fn shut_in(plan: &Plan, logs: &Logs, cores: bool) -> Result<(), Failure> {
    let config = &plan.composed.config;
    plan.rights.give_up(transparent::keep(config))?;
    let lacking = sandbox::shut_in(config, &named(&plan.launch, &plan.composed), cores)?;
    if let Some(lacking) = lacking {
        logs.say(Level::Always, || format!("WARNING: {lacking}"));
    }
    Ok(())
}

/// The files that the command line names.
fn named<'a>(launch: &'a Launch, composed: &'a Composed) -> Named<'a> {
    Named {
        file: launch.config_file.as_deref(),
        included: &composed.outcome.files,
        pid_file: launch.pid_file.as_deref(),
        control: launch.control.as_deref().filter(|word| word.contains('/')).map(Path::new),
    }
}

fn open_with(
    plan: &Plan,
    logs: &Logs,
    descriptors: u64,
    doors: Doors,
    estate: Estate,
) -> Result<Opened, Failure> {
    let config = &plan.composed.config;
    let Doors { workers, opened, control, gauge } = doors;
    let pool = Arc::new(Pool::new(workers).map_err(cannot("make mailboxes"))?);
    let (running, changes) = Running::start(
        config.clone(),
        opened,
        Arc::clone(&pool),
        logs.clone(),
        descriptors,
        Arc::clone(&plan.services),
        &plan.names,
    )
    .map_err(Failure::new)?;
    running.announce(changes, Level::Debug(1));
    let pid_file = plan.launch.pid_file.as_deref().map(|path| {
        let hint = plan.rights.hint();
        match estate.pid_file {
            Some(file) => Ok(PidFile::inherit(Path::new(path), file)),
            None => PidFile::write(Path::new(path)).map_err(|why| Failure::new(why + &hint)),
        }
    });
    memory::watch(&pool, gauge, logs).map_err(cannot("watch memory"))?;
    let workers = worker::start(&pool, logs).map_err(cannot("start the workers"))?;
    Ok((running, control, pid_file.transpose()?, workers))
}

fn worker_count(config: &Config) -> usize {
    match config.process.workers {
        Some(n) => usize::try_from(n).unwrap_or(1),
        None => thread::available_parallelism().map_or(1, usize::from),
    }
}

fn control_place(plan: &Plan, logs: &Logs) -> Result<Option<Place>, Failure> {
    let Some(word) = &plan.launch.control else { return Ok(None) };
    if !plan.rights.permit_control() {
        logs.say(Level::Always, || {
            format!("control port {word} is not opened as root; add -u USER (-u root permits it)")
        });
        return Ok(None);
    }
    let listen = listen_word::resolve(word, &plan.names)
        .map_err(|e| Failure::new(format!("control port {word}: {e}")))?;
    Ok(Some(listen.place))
}

fn open_control(plan: &Plan, place: &Place, ours: bool) -> Result<ControlDoor, Failure> {
    let word = plan.launch.control.as_deref().unwrap_or_default();
    ControlDoor::open(place, plan.rights.user(), ours)
        .map_err(|e| Failure::new(format!("control port {word}: {e}")))
}

/// The service runs until it is told to end.
fn serve(plan: Plan, house: House, start: Start) -> ExitCode {
    let House {
        signals,
        notify,
        logs,
        mut running,
        control,
        mut pid_file,
        workers,
        launcher,
        addresses,
    } = house;
    let origin = origin(&plan);
    if let Some(missing) = &plan.composed.missing {
        running.warn(format!("{missing}; Pen starts without it, HUP reads it when it is there"));
    }
    let shown = perform::follow_up(&mut running, &origin, plan.composed.outcome);
    logs.show(shown.reply);
    let status = status_line(&running.config);
    let (pool, state) = (Arc::clone(&running.pool), running.state.clone());
    if let Err(failure) = start.succeed(&logs, &notify, &status) {
        lifecycle::complain(&failure.text);
        return failure.exit.into();
    }
    if let Some(Err(why)) = pid_file.as_mut().map(PidFile::claim) {
        running.warn(why);
    }
    tell_start(&logs, &running.config, pool.mailboxes.len());
    let means = Means { launcher, pid_file: pid_file.as_ref().and_then(|file| file.share().ok()) };
    let control = Control {
        running,
        origin,
        signals,
        notify,
        door: control,
        services: plan.services,
        means,
        addresses,
    };
    let reason = if shown.exit { ExitReason::Command } else { control::run(control) };
    logs.event(Subject::new(EventKey::Stopping).because(reason.word()), |e| {
        e.saying("Pen ends; what is open is reset")
    });
    for mailbox in &pool.mailboxes {
        mailbox.post(Order::Stop);
    }
    for worker in workers {
        // A worker that panics ends the process itself.
        let _ = worker.join();
    }
    // The pid file and the state file of one that was replaced are the other's.
    let replaced = reason == ExitReason::Replaced;
    if !replaced {
        state.finish();
    }
    if let Some(Err(why)) = pid_file.filter(|_| !replaced).map(PidFile::remove) {
        logs.say(Level::Always, || why);
    }
    let _ = logs.flush_and_stop(Duration::from_secs(limits::LAST_LINES_S));
    match reason {
        ExitReason::Signal | ExitReason::Drained | ExitReason::Command | ExitReason::Replaced => {
            Exit::Clean.into()
        }
        ExitReason::Failed => Exit::Failed.into(),
    }
}

fn origin(plan: &Plan) -> Origin {
    let launch = &plan.launch;
    Origin {
        foreground: launch.foreground,
        emergency: launch.emergency.clone(),
        abuse: launch.abuse.clone(),
        jail: launch.jail.clone(),
        pid_file: launch.pid_file.clone(),
        user: launch.user.clone(),
        file: launch.config_file.clone(),
        listen_operand: plan.composed.listen_operand,
    }
}

fn tell_start(logs: &Logs, config: &Config, workers: usize) {
    logs.event(Subject::new(EventKey::Started), |e| {
        e.with(Detail::Version, env!("CARGO_PKG_VERSION"))
            .with(Detail::Pid, std::process::id())
            .with(Detail::Services, config.services.len() as u64)
            .with(Detail::Workers, workers as u64)
            .saying(status_line(config))
    });
}

fn status_line(config: &Config) -> String {
    let addresses: Vec<&str> =
        config.services.iter().flat_map(|s| &s.listen).map(|l| l.text.as_str()).collect();
    format!("serving at {}", addresses.join(" "))
}

fn cannot(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |e| Failure::new(format!("cannot {what}: {e}"))
}
