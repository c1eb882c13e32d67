import type { ListedContainer } from '../api/documents.js';
import { counted, shown } from '../base/text.js';
import { Badge } from '../parts/small.js';

/** How a container stands to its base. */
export function Standing({ container: { state, behind } }: { container: ListedContainer }) {
  if (state === 'newest') return <Badge tone="good">newest</Badge>;
  if (state === 'left-behind') return <Badge tone="bad">left behind by a rollback</Badge>;
  return <Badge tone="warn">{behind === null ? 'behind' : `${counted(behind.length, 'update')} behind`}</Badge>;
}

/** Where a container is mounted, and what must be done about it. */
export function Place({ container }: { container: ListedContainer }) {
  const { mountpoint, elsewhere, snapshot, driverGone, engine } = container;
  if (mountpoint === null)
    return elsewhere === null ? (
      <span class="quiet">not mounted</span>
    ) : (
      <>
        {shown(elsewhere)} ({snapshot === null ? 'another mount namespace' : 'by containerd'})
      </>
    );
  if (driverGone) return <Badge tone="bad">its driver is gone: lamina recover</Badge>;
  return (
    <>
      {shown(mountpoint)}
      {engine === 'kernel' && <span class="quiet"> by the kernel</span>}
    </>
  );
}
