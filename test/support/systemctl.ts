import { writeFileSync } from 'node:fs';
import type { World } from './lamina.js';

/**
 * A systemctl that records what it is asked, and whose units mount a container below `mnt`. There is no systemd here.
 * @param places.programs where the program is written
 * @param places.states a file NAME for each container whose unit runs, with the store that the unit names; `no-stop`
 * and `no-start`: no unit stops, or starts
 */
export function writeSystemctl(
  world: World,
  { programs, states, log }: { readonly programs: string; readonly states: string; readonly log: string },
): void {
  writeFileSync(
    `${programs}/systemctl`,
    `#!/bin/sh
    echo "$@" >>${log}; verb=$1; shift; [ $verb != show ] || shift; code=0
    lamina() { '${process.execPath}' '${world.cli}' "$@" >/dev/null 2>&1; }
    for unit; do
      name=\${unit#lamina-}; name=\${name%.service}
      case $verb in
        show) state=inactive; [ ! -e ${states}/$name ] || state=active
          printf 'Id=%s\\nActiveState=%s\\nEnvironment=A=b LAMINA_STORE=%s\\n\\n' $unit $state "$(cat ${states}/$name 2>/dev/null)" ;;
        stop) [ ! -e ${states}/no-stop ] || exit 1; lamina umount $name || exit 1 ;;
        start) [ ! -e ${states}/no-start ] || { echo "no $unit" >&2; exit 1; }
          mkdir -p ${world.path('mnt')}/$name; lamina mount $name ${world.path('mnt')}/$name ;;
      esac
    done`,
    { mode: 0o755 },
  );
}
