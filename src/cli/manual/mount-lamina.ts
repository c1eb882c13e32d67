import { mountOptionRows } from '../../app/mount-options.js';
import type { ManPage } from './roff.js';

/** The page of the helper that mount(8) runs for the type `lamina`. */
export function mountLaminaPage(): ManPage {
  return {
    name: 'mount.lamina',
    section: 8,
    summary: 'mount a Lamina container',
    synopsis: ['mount -t lamina <container> <dir> [-o <options>]'],
    parts: [
      {
        title: 'DESCRIPTION',
        paragraphs: [
          'mount(8) runs mount.lamina for the type lamina: from the command line, for a line of /etc/fstab, and for a mount unit of systemd. It mounts a container as lamina mount does; the directory must be empty. umount(8) unmounts it.',
          'A container that is mounted on the directory already is left as it is, so that mount -a can be repeated. One that does not exist is an error, which names it; with nofail systemd goes on with the boot.',
        ],
      },
      { title: 'OPTIONS', rows: mountOptionRows },
      { title: 'EXIT STATUS', paragraphs: ['0: mounted; 1: wrong usage; 32: it could not be mounted.'] },
      {
        title: 'EXAMPLES',
        typed: [
          'mount -t lamina web /srv/web -o ro',
          '',
          '# /etc/fstab',
          'web  /srv/web  lamina  nofail,store=/srv/store  0  0',
        ],
      },
    ],
    seeAlso: ['lamina-mount(1)', 'lamina-umount(1)', 'mount(8)'],
  };
}
