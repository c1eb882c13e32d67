/** Who calls the mount program: root, or an ordinary user with a range of subordinate ids. */
export type Who = 'root' | 'user';

/** One thing that is done with an engine. All steps of a storage run in this order, in one session. */
export interface Step {
  readonly name: string;
  /** Shell lines. What they print must be the same with every driver. */
  readonly script: string;
  /** Who takes it; without it both do. */
  readonly only?: Who;
  /** An ordinary user takes it only where everything is to be tried: the mount program is asked the same by root. */
  readonly long?: true;
}

/** `LAMINA_CLIENTS=all`: an ordinary user takes all steps too, and both users compare with all drivers. */
export const everything = process.env['LAMINA_CLIENTS'] === 'all';

export const stepsOf = (who: Who): readonly Step[] =>
  steps.filter((step) => (step.only ?? who) === who && (who === 'root' || everything || step.long === undefined));

/**
 * With what laminafs is compared: each driver more takes as long again. The kernel's overlay is root's reference, as
 * more of fuse-overlayfs differs there (`untried.ts`); an ordinary user's is fuse-overlayfs.
 */
export const othersOf = (who: Who): readonly { name: string; program: string }[] => {
  const theirs = { name: 'fuse-overlayfs', program: '/usr/bin/fuse-overlayfs' };
  const kernel = { name: 'kernel', program: '' };
  if (everything) return [theirs, kernel];
  return who === 'root' ? [kernel] : [theirs];
};

/** Beside what `session.ts` defines. */
export const stepFunctions = `
run() { timeout 100 podman run --pull never --rm "$@" </dev/null; }
in_users() { engine=$1; shift; if [ "$(id -u)" = 0 ]; then "$@"; else "$engine" unshare "$@"; fi; }
tree() { find "$@" -printf '%P %y %m %u:%g %n %s %l\\n' | sort; }
left() { podman ps -aq | wc -l; grep -c " $PWD/root/.*/merged " /proc/self/mountinfo || true; }`;

export const containerfile = `FROM localhost/debian:1
RUN rm /etc/issue; rm -r /usr/share/perl5/Debconf; mkdir -p /d/e; echo one >/d/e/one
RUN useradd -m -u 1234 somebody; echo mine >/home/somebody/file; chown somebody: /home/somebody/file
RUN chmod 4711 /usr/bin/env; chmod 750 /d; chgrp 5 /d; chmod 1777 /opt
RUN ln /d/e/one /d/hard; ln -s hard /d/soft; rm /d/e/one; mv /usr/share/common-licenses /licences; mkdir /usr/share/perl5/Debconf
COPY tool.deb /root/
RUN apt-get install -y --no-install-recommends /root/tool.deb >/root/log 2>&1 || cat /root/log; rm /root/tool.deb /root/log
`;

/** What a container with users of its own sees of the image's owners, and what it may do. */
const mapped = `sh -c 'exec 2>&1; stat -c %u:%g /bin /home/somebody /d; id -u
  echo x >/made; chown 5:6 /made; stat -c %u:%g /made
  su somebody -c "echo >/home/somebody/own; stat -c %u:%g /home/somebody/own"; rm -r /d; ls /d || true'`;

const steps: readonly Step[] = [
  { name: 'build', script: 'podman build -q --layers --isolation chroot -t localhost/built:1 context | wc -l' },
  {
    name: 'run what was built',
    script: `
      run localhost/built:1 sh -c 'exec 2>&1; id somebody; tool; dpkg -s tool | grep Status; ls /etc/issue
        ls -A /usr/share/perl5/Debconf; cat /home/somebody/file /d/soft; find / -xdev -name ".wh.*"'
      run localhost/built:1 find /etc /d /home /licences /opt /usr/bin /usr/share/perl5 ! -type d \\
        -printf '%p %y %m %u:%g %n %s %l\\n' | grep -v -e /etc/resolv -e /etc/mtab -e /etc/host | sort`,
  },
  {
    name: 'run with another user',
    long: true,
    script: `
      run -u somebody -w /home/somebody localhost/built:1 sh -c \\
        'exec 2>&1; id -un; cat file; echo x >>file; cat file; rm /etc/passwd || true'`,
  },
  {
    name: 'exec, diff, stop and start at once',
    long: true,
    // A name that could be the start of an image's id would be taken for the image by `podman diff`.
    script: `
      podman run --pull never -d --name twice localhost/built:1 sleep 1000 >/dev/null
      podman exec twice sh -c 'echo x >/exec; rm /etc/motd; mv /licences /l2; chmod 700 /opt'
      podman exec -u somebody twice id -u; podman diff twice | sort
      for i in 1 2 3 4 5; do podman stop -t 0 twice; podman start twice; podman exec twice ls /exec; done
      podman exec twice sh -c 'exec 2>&1; ls /etc/motd /licences; ls /l2 | wc -l'
      podman restart -t 0 twice >/dev/null; podman exec twice cat /exec; podman rm -ft 0 twice >/dev/null; left`,
  },
  {
    name: 'commit, cp, diff of an image',
    script: `
      podman run --pull never --name kept localhost/built:1 sh -c \\
        'rm -r /d/e /licences; echo n >/d/n; ln /d/n /d/n2; cp /bin/true /tool; chmod 4755 /tool'
      podman commit -q kept localhost/changed:1 >/dev/null
      run localhost/changed:1 sh -c 'exec 2>&1; ls -A /d; ls /licences; stat -c "%a %h" /d/n /tool'
      podman diff localhost/changed:1 | sort; podman cp kept:/d out; ls out; podman cp out/n kept:/d/of-the-host
      podman cp kept:/d - | tar t | sort; podman cp kept:/usr/bin/env - | tar tv | cut -c1-20`,
  },
  {
    name: 'save and load',
    long: true,
    script: `
      podman save -q -o changed.tar localhost/changed:1; podman rmi -f localhost/changed:1 >/dev/null
      podman load -q -i changed.tar; run localhost/changed:1 sh -c 'ls -A /d; stat -c "%a %h" /d/n /tool'
      podman rm kept >/dev/null; podman rmi -f localhost/changed:1 >/dev/null; rm changed.tar`,
  },
  {
    name: 'a directory that is replaced, and committed',
    long: true,
    script: `
      podman run --pull never --name kept localhost/built:1 sh -c 'rm -r /d; mkdir /d; echo n >/d/n'
      podman commit -q kept localhost/replaced:1 >/dev/null; run localhost/replaced:1 ls -A /d
      podman rm kept >/dev/null; podman rmi localhost/replaced:1 >/dev/null`,
  },
  {
    name: 'an export of a container',
    long: true,
    script: `
      podman create --pull never --name x localhost/built:1 true >/dev/null
      podman export x | tar t | sed 's,/$,,' | grep -v -e '^proc' -e '^sys' -e '^dev' -e '^run' | sort | sha256sum
      podman rm x >/dev/null`,
  },
  {
    name: 'an image mount',
    script: `
      in_users podman sh -ec 'm=$(podman image mount localhost/built:1); ls $m/d; cat $m/d/soft
        touch $m/x 2>/dev/null && echo written; podman image umount localhost/built:1 >/dev/null'; left`,
  },
  {
    name: 'read-only',
    long: true,
    script: `
      run --read-only localhost/built:1 sh -c \\
        'exec 2>&1; echo x >/x || echo refused; rm /d/soft || echo refused; echo y >/tmp/y; cat /tmp/y'; left`,
  },
  {
    name: 'volumes with :O',
    script: `
      run -v $PWD/volume:/v:O localhost/built:1 sh -c 'cat /v/file; rm /v/file; mkdir /v/file; echo n >/v/new
        chown 5 /v/new; ls -l /v | cut -c1-10; mv /v/dir /v/moved; ls /v/moved'; tree volume
      run -v $PWD/volume:/v localhost/built:1 sh -c 'echo through >/v/through'
      cat volume/through; rm -f volume/through; left`,
  },
  {
    name: '--rootfs DIR:O',
    script: `
      mkdir rootfs; in_users podman tar -C rootfs -xf tiny.tar
      run --rootfs $PWD/rootfs:O sh -c 'rm /etc/group; touch /made; ls /made; rm -r /opt; mkdir /opt; ls /opt'
      ls rootfs/etc/group; ls rootfs/made 2>&1 || true; left`,
  },
  {
    name: 'eight containers side by side',
    long: true,
    script: `
      for i in 1 2 3 4 5 6 7 8; do
        run localhost/built:1 sh -c "exec 2>&1; rm /usr/bin/env; for n in 1 2 3 4 5 6 7 8 9; do echo $i >/opt/\\$n; done
          rm -r /var/lib/dpkg/info; mv /d /e; cat /opt/9 /e/hard; ls /var/lib/dpkg/info || true" >out-$i 2>&1 &
      done; wait; cat out-?; rm out-?; left`,
  },
  {
    name: 'rm -f while it runs and writes',
    script: `
      for i in 1 2 3; do
        podman run --pull never -d --name w$i localhost/built:1 \\
          sh -c 'while :; do echo x >>/f; rm -f /usr/bin/env; cp /usr/bin/dpkg /usr/bin/env; done' >/dev/null
      done
      for i in 1 2 3; do timeout 60 podman exec w$i sh -c 'until [ -s /f ]; do sleep 0.05; done'; done
      podman rm -fat 0 >/dev/null; left`,
  },
  { name: 'the users of the engine', script: `run --userns=host localhost/built:1 ${mapped}` },
  {
    name: '--userns=keep-id',
    script: `
      run --userns=keep-id localhost/built:1 sh -c 'exec 2>&1; id -u; stat -c %u:%g /bin /home/somebody
        cat /home/somebody/file; touch /tmp/x; stat -c %u:%g /tmp/x; touch /x || true'`,
    only: 'user',
  },
  { name: '--userns=nomap', script: `run --userns=nomap localhost/built:1 ${mapped}`, only: 'user' },
  { name: '--userns=auto', script: `run --userns=auto:size=3000 localhost/built:1 ${mapped}` },
  { name: '--uidmap', script: `run --uidmap=0:7:3000 --gidmap=0:9:3000 localhost/built:1 ${mapped}`, only: 'user' },
  {
    name: '--uidmap of root',
    script: `run --uidmap=0:400000:3000 --gidmap=0:410000:3000 localhost/built:1 ${mapped}`,
    only: 'root',
  },
  {
    name: '--uidmap of several ranges',
    script: `
      run --uidmap=0:400000:1000 --uidmap=1000:410000:2000 --gidmap=0:400000:3000 localhost/built:1 ${mapped}`,
    only: 'root',
  },
  {
    name: 'buildah',
    script: `
      in_users buildah sh -ec 'c=$(buildah from --pull-never localhost/built:1)
        buildah run --isolation chroot $c -- sh -c "rm -r /d; echo b >/b; chown 5:6 /b" </dev/null
        buildah copy -q $c context/tool.deb /deb/ >/dev/null; m=$(buildah mount $c)
        ls $m/deb; [ ! -e $m/d ]; cat $m/b; echo host >$m/of-the-host; buildah umount $c >/dev/null
        buildah commit -q $c localhost/of-buildah:1 >/dev/null; buildah rm $c >/dev/null'
      run localhost/of-buildah:1 sh -c 'exec 2>&1; ls /deb; [ ! -e /d ]; cat /b /of-the-host; stat -c %u:%g /b'
      podman diff localhost/of-buildah:1 | sort; podman rmi localhost/of-buildah:1 >/dev/null`,
  },
  {
    name: 'skopeo',
    long: true,
    script: `
      in_users podman skopeo copy -q containers-storage:localhost/built:1 oci:layout:built
      in_users podman skopeo copy -q oci:layout:built containers-storage:localhost/again:1; rm -r layout
      run localhost/again:1 sh -c 'exec 2>&1; ls -A /d; id -u somebody; tool; ls /etc/issue || true'
      podman rmi localhost/again:1 >/dev/null`,
  },
  {
    name: 'a build with a runtime',
    long: true,
    script: 'podman build -q --isolation oci --no-cache -t localhost/by-runtime:1 -f Runtimefile context | wc -l',
  },
  {
    name: 'runc',
    long: true,
    script: `run --runtime runc localhost/built:1 sh -c 'ls -A /d; rm -r /d; touch /x; ls /x'`,
  },
  { name: 'prune', script: 'podman system prune -f >/dev/null; left; podman rmi localhost/built:1 >/dev/null' },
];
