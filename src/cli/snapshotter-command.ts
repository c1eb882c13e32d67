import { Option } from 'commander';
import type { Command } from 'commander';
import { printable } from '../base/bytes.js';
import type { SnapshotEngine } from '../app/snapshots.js';
import { contextOf } from './context.js';

interface SnapshotterOptions {
  readonly address: string;
  readonly engine: SnapshotEngine;
}

const engines: readonly SnapshotEngine[] = ['kernel', 'fuse'];

export function addSnapshotterCommand(program: Command): void {
  program
    .command('snapshotter')
    .description('serve containerd as its snapshotter, which keeps images and containers in the store')
    .requiredOption('--address <socket>', 'the socket to listen at, an absolute path; only root can connect')
    .addOption(new Option('--engine <engine>', 'how snapshots are mounted').choices(engines).default('kernel'))
    .addHelpText('after', help)
    .action(async ({ address, engine }: SnapshotterOptions, command: Command) => {
      const { output, store, signal } = contextOf(command);
      const { serveSnapshots } = await import('../snapshotter/index.js');
      await serveSnapshots(await store(), {
        ...{ address, engine, signal },
        onReady: () => {
          output.note(printable(`listening at ${address}`));
        },
        onFault: (call, { message }) => {
          output.note(printable(`${call}: ${message}`));
        },
      });
      output.result({ address }, () => `stopped listening at ${address}`);
    });
}

const help = `
It runs until a signal stops it, and needs root on the machine. The configuration of containerd names it as a proxy
plugin (docs/containerd.md). With --engine fuse laminafs mounts the snapshots: containerd then calls mount.fuse3, of
Debian's package fuse3.

A snapshot with the label containerd.io/snapshot/dev.lamina.container=NAME shows the root of container NAME of the
store. The container outlives the snapshot, and is updated to the image of each later snapshot as by an image update.

Examples:
  lamina snapshotter --address /run/lamina/snapshotter.sock
  ctr run --snapshotter lamina --snapshotter-label containerd.io/snapshot/dev.lamina.container=web IMAGE web`;
