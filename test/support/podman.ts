/** Processes without control groups, networks and a log of the system's: what a machine in a container can give. */
export const podmanSettings = `[containers]
default_ulimits = ["nofile=1024:1024","nproc=1024:1024"]
netns = "none"
pids_limit = 0
log_driver = "k8s-file"
cgroups = "disabled"
cgroupns = "host"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
`;

/**
 * Shell lines that come before podman in a mount namespace of its own: crun refuses control groups of both versions
 * side by side; podman keeps locks in /dev/shm.
 */
export const podmanPlaces = 'for d in /sys/fs/cgroup /dev/shm /run; do mount -t tmpfs none $d; done; mkdir /run/lock';
