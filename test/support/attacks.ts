/** Everything that a process can name without knowing a path: links of the kernel, devices, what is mounted. */
const within = '/proc/[0-9]*/exe /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/fd/* /proc/[0-9]*/ns/*';
const reachable = `${within} /proc/[0-9]*/map_files/* /proc/[0-9]*/task/*/fd/* /dev/* /dev/pts/* /dev/shm /run/* /run/lamina/* /sys /sys/*`;
/** Tries to change all of it: mode, owner, times, names, content. Says `tried` at its end. */
export const changeAll = `#!/bin/sh
for path in ${reachable} /proc/* /proc/net/* /proc/sys/kernel/core_pattern /proc/irq/*/smp_affinity /proc/bus/*; do
  case $path in /proc/[0-9]*/root | /proc/[0-9]*/cwd) continue ;; esac
  chmod 4777 "$path"; chown 1234:1234 "$path"; touch -d 2001-01-01 "$path"; ln "$path" /srv/linked; mv "$path" /srv/moved
  if [ -f "$path" ]; then
    printf x >>"$path"
    { printf y 1<>"$path"; } 2>&1
  fi
done >/dev/null 2>&1
echo tried`;
