// What is timed. Each workload is a shell script run in the mount's root; `prepare` runs before it and is not timed.

/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {string} script
 * @property {string} [prepare]
 * @property {'all' | 'dentries'} [drop]  caches dropped between prepare and script
 * @property {boolean} [fresh]            wants a mount with an empty upper of its own
 * @property {string[]} [without]         drivers for which it means nothing
 */

const walk = "find . -xdev -printf '%i %s %p\\n'";
const readAll = 'find . -xdev -type f -print0 | xargs -0 cat > /dev/null';
const parallel = `for i in 1 2 3 4; do { ${walk} > /dev/null; grep -rsl no-such-word usr/share/doc usr/lib/python3.11; } & done; wait`;

/** The time from nothing to the first answer and back to nothing. */
export const mountCycle = { name: 'mount, first stat, unmount' };

/**
 * For laminafs: the time as a multiple of the kernel's overlayfs that it must not exceed, the one to reach, and the
 * first of a passthrough mount where it differs.
 * @type {Record<string, { atMost: number, aim: number, atMostPassthrough?: number }>}
 */
export const targets = {
  'find, dentries dropped': { atMost: 1.5, aim: 1.0 },
  'find, all caches dropped': { atMost: 1.0, aim: 0.8 },
  'find, warm': { atMost: 1.1, aim: 1.0 },
  'read all files, cold': { atMost: 1.15, aim: 1.0 },
  'read all files, warm': { atMost: 1.3, aim: 1.1 },
  '4 × find and grep in parallel, warm': { atMost: 1.3, aim: 1.1 },
  'untar 10,000 small files': { atMost: 2.5, aim: 1.6 },
  'rm -rf 10,000 small files': { atMost: 4.0, aim: 2.5 },
  'cp -a usr/share inside the mount': { atMost: 2.5, aim: 1.6 },
  'chmod -R usr/share': { atMost: 0.1, aim: 0.05 },
  '1 GiB written with fsync': { atMost: 1.2, aim: 1.0, atMostPassthrough: 1.05 },
  '1 GiB read cold': { atMost: 1.1, aim: 1.0, atMostPassthrough: 1.05 },
  '1 GiB read warm': { atMost: 1.05, aim: 1.0, atMostPassthrough: 1.05 },
  'git init, add, commit, status of 5,000 files': { atMost: 2.0, aim: 1.4 },
  'apt upgrade, no download': { atMost: 1.35, aim: 1.2 },
  'mount, first stat, unmount': { atMost: 1.0, aim: 0.8 },
};

/** Of all rows. */
export const overall = { atMost: 1.25, aim: 1.05 };

const reading = [
  { name: 'find, dentries dropped', prepare: walk, drop: 'dentries', script: walk },
  { name: 'find, all caches dropped', drop: 'all', script: walk },
  { name: 'find, warm', prepare: walk, script: walk },
  { name: 'read all files, cold', drop: 'all', script: readAll },
  { name: 'read all files, warm', prepare: readAll, script: readAll },
  { name: '4 × find and grep in parallel, warm', prepare: parallel, script: parallel },
];

const upgradeScript =
  'cd /; chroot "$OLDPWD" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive sh -c "cd /tmp/update && exec ./upgrade"';

/** The upgrade of the Debian root, by packages that are there. */
export const upgrade = (scratch) => ({
  name: 'apt upgrade, no download',
  fresh: true,
  prepare: `mkdir -p tmp/update; cp -a ${scratch}/upgrade/. tmp/update/; mount -t proc proc proc`,
  script: upgradeScript,
  finish: 'umount proc',
});

const changing = (scratch) => [
  {
    name: 'untar 10,000 small files',
    fresh: true,
    script: `mkdir small; tar -xf ${scratch}/small.tar -C small`,
  },
  { name: 'rm -rf 10,000 small files', script: 'rm -rf small' },
  {
    name: 'cp -a usr/share inside the mount',
    fresh: true,
    prepare: readAll,
    script: 'cp -a usr/share copy',
  },
  {
    name: 'chmod -R usr/share',
    without: ['native'],
    fresh: true,
    prepare: walk,
    script: 'chmod -R o-r usr/share',
  },
  {
    name: '1 GiB written with fsync',
    fresh: true,
    script: 'dd if=/dev/zero of=big bs=1M count=1024 conv=fsync',
  },
  {
    name: '1 GiB read cold',
    drop: 'all',
    script: 'cat big > /dev/null',
  },
  {
    name: '1 GiB read warm',
    prepare: 'cat big > /dev/null',
    script: 'cat big > /dev/null',
  },
  {
    name: 'git init, add, commit, status of 5,000 files',
    fresh: true,
    prepare: `mkdir tree; tar -xf ${scratch}/small.tar -C tree; find tree -name '*[5-9].txt' -delete`,
    script:
      'cd tree; export HOME=/nonexistent; git init -q; git add .; git -c user.name=b -c user.email=b@b -c gc.auto=0 commit -qm all; git status',
  },
  upgrade(scratch),
];

/** @param {string} scratch  a directory outside the mount @returns {Workload[]} */
export const workloads = (scratch) => [...reading, ...changing(scratch)];
