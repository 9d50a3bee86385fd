//! Network namespaces that nobody else can name: one ends with the last process, thread or value that holds it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Command, Stdio},
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};

/// What makes a stack quiet and quick: addresses are there at once, nobody solicits routers, errors are not rationed.
const SETTINGS: [(&str, &str); 7] = [
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv4/icmp_msgs_per_sec", "100000"),
    ("ipv6/icmp/ratelimit", "0"),
];

/// A network namespace.
pub struct Namespace(OwnedFd);

impl Namespace {
    /// A new one, with its loopback interface up.
    pub fn new() -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net").map(OwnedFd::from)
        };
        let handle = thread::spawn(make).join().expect("the thread does not panic");
        let this = Self(handle.expect("root may make network namespaces"));
        SETTINGS.iter().for_each(|(key, value)| this.set(key, value));
        this.ip("link set lo up");
        this
    }

    /// Moves the calling thread into it. What it starts from then on is inside too.
    pub fn move_in(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("root may enter network namespaces");
    }

    /// Does something inside. A socket stays where it was made, so it may be used elsewhere.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.move_in();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A program that is to run inside, and dies with the thread that starts it.
    pub fn command(&self, program: &str) -> Command {
        let handle = self.0.as_raw_fd();
        let mut command = Command::new(program);
        // SAFETY: between fork and exec the closure makes two system calls; it neither allocates nor locks. The
        // descriptor is open in the child until exec closes it.
        unsafe {
            command.pre_exec(move || {
                if libc::setns(handle, libc::CLONE_NEWNET) != 0
                    || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) != 0
                {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        command
    }

    /// Runs lines of `ip` inside.
    pub fn ip(&self, lines: &str) {
        let mut command = self.command("ip");
        command.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("iproute2 is installed");
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(lines.as_bytes()).and_then(|()| input.write_all(b"\n")).expect("ip reads");
        drop(input);
        let output = child.wait_with_output().expect("ip ends");
        assert!(output.status.success(), "{lines}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Changes a kernel setting, a path below `/proc/sys/net`.
    pub fn set(&self, key: &str, value: &str) {
        self.enter(|| fs::write(format!("/proc/sys/net/{key}"), value))
            .unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    /// A path by which `ip link set ... netns` finds it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// A counter of an interface inside, as in `/sys/class/net/*/statistics`.
    pub fn statistic(&self, interface: &str, name: &str) -> u64 {
        let shown =
            self.command("ip").args(["-s", "-j", "link", "show", interface]).output().expect("ip runs");
        let text = String::from_utf8_lossy(&shown.stdout);
        let (direction, field) = name.split_once('_').expect("direction_field");
        super::tool::number_after(
            &text,
            &["\"stats64\"", &format!("\"{direction}\":"), &format!("\"{field}\":")],
        )
    }
}
