//! The descendants of the helper: who they are, what they hold, their end.
//!
//! Reads `/proc` (Linux). On other systems it finds nobody, and the caller is
//! left with the process group.

use std::collections::HashMap;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::sys::signal::killpg;
use nix::unistd::Pid;

/// One living process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Its id.
    pub(super) pid: i32,
    /// Its parent.
    pub(super) parent: i32,
    /// Its process group.
    pub(super) group: i32,
    /// Its session.
    pub(super) session: i32,
    /// Memory it holds, in bytes; shared pages count in each that has them.
    pub(super) resident: u64,
}

/// Every descendant of `root`, itself not counted. Zombies are left out.
pub(super) fn descendants(root: i32) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for one in processes() {
        children.entry(one.parent).or_default().push(one);
    }
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let born = children.remove(&parent).unwrap_or_default();
        parents.extend(born.iter().map(|child| child.pid));
        found.extend(born);
    }
    found
}

/// Kills every descendant of `root` once, and says how many there were. Whole
/// groups go first: the kernel signals a group at one stroke, so that a group
/// that keeps forking cannot outrun it.
pub(super) fn kill_descendants(root: i32) -> usize {
    let found = descendants(root);
    let mut groups: Vec<i32> = found.iter().map(|one| one.group).filter(|group| *group > 1 && *group != root).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    for one in &found {
        let _ = kill(Pid::from_raw(one.pid), Signal::SIGKILL);
    }
    found.len()
}

/// Kills what is left of a session whose leader was killed by somebody else.
pub(super) fn kill_session(leader: i32) {
    for one in processes().iter().filter(|one| one.session == leader) {
        let _ = kill(Pid::from_raw(one.pid), Signal::SIGKILL);
    }
}

/// Memory that `processes` hold together, in bytes, shared pages counted once.
/// Slow for large processes; to be asked only where the cheap sum is too high.
pub(super) fn proportional(processes: &[Process]) -> u64 {
    processes.iter().map(|one| proportional_of(one.pid).unwrap_or(one.resident)).sum()
}

/// `Pss:` of `/proc/<pid>/smaps_rollup` (proc(5)), in bytes.
fn proportional_of(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Bytes of memory the machine has; `None` where `/proc/meminfo` is not there.
pub(super) fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Every living process of the machine.
fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let page = page_size();
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| parse_stat(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?, page)).collect()
}

/// Reads one `/proc/<pid>/stat` (proc(5)): `pid (name) state parent group …`,
/// where the name may hold spaces and brackets; resident pages are field 24.
fn parse_stat(pid: i32, stat: &[u8], page: u64) -> Option<Process> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields: Vec<&str> = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
    Some(Process {
        pid,
        parent: number(1)? as i32,
        group: number(2)? as i32,
        session: number(3)? as i32,
        resident: number(21)?.max(0) as u64 * page,
    })
}

/// Bytes of a memory page.
fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    size.ok().flatten().map_or(4096, |size| size as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_mislead() {
        let stat = b"7 (a) (b c) S 3 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 2000 10 18446744073709551615";
        assert_eq!(
            parse_stat(7, stat, 4096),
            Some(Process { pid: 7, parent: 3, group: 5, session: 5, resident: 40960 })
        );
        assert_eq!(parse_stat(7, b"7 (a) Z 3 5", 4096), None);
        assert_eq!(parse_stat(7, b"garbage", 4096), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found_below_its_parent() {
        let me = std::process::id() as i32;
        let above = processes().into_iter().find(|one| one.pid == me).map(|one| one.parent);
        assert!(above.is_some_and(|parent| descendants(parent).iter().any(|one| one.pid == me)));
        assert!(machine_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
