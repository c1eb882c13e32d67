import type { Command } from 'commander';
import type { ServeOptions } from '../http/index.js';
import { contextOf, pathOf } from './context.js';
import { shown } from './output.js';
import { refuseIdle } from './usage.js';

interface ServeWords {
  readonly listen?: string;
  readonly tokenFile?: string;
  readonly allowChanges?: true;
  readonly channel?: string;
  readonly reports?: string;
}

const help = `
Without --listen it listens on the socket that systemd passes, else on serve.sock in the store's directory serve. A unix
socket gets the mode 0600. On TCP, every line of the token file is NAME TOKEN, or NAME TOKEN read-only; only its owner
may read it. The server runs until SIGINT or SIGTERM; jobs continue without it. See docs/serve.md.

Examples:
  lamina serve --listen unix:/run/lamina/serve.sock --allow-changes
  lamina serve --listen 127.0.0.1:8080 --token-file /etc/lamina/tokens
  lamina serve --channel /srv/channel
  lamina --remote unix:/run/lamina/serve.sock status`;

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('serve the store through an HTTP API, with a page for browsers')
    .option('--listen <address>', 'unix:PATH or 127.0.0.1:PORT; port 0: any that is free')
    .option('--token-file <file>', 'a file with the names and tokens of those who may send requests; required on TCP')
    .option('--allow-changes', 'let callers change the store; without it they only read')
    .option('--channel <dir>', 'show the fleet of this channel, which lamina channel init made')
    .option('--reports <url>', 'with --channel: where the reports of its machines are (default: in its directory)')
    .addHelpText('after', help)
    .action(async (options: ServeWords, command: Command) => {
      refuseIdle(command, [
        { option: 'reports', unless: ({ channel }) => channel !== undefined, because: 'without --channel' },
      ]);
      const { output, store, signal } = contextOf(command);
      const { inheritedSocket, parseAddress, serve } = await import('../http/index.js');
      const { serveDirectory } = await import('../app/served.js');
      const { dirname, join } = await import('../base/bytes.js');
      const given = options.listen === undefined ? undefined : parseAddress(options.listen);
      const tokenFile = options.tokenFile === undefined ? undefined : pathOf(options.tokenFile);
      const socketIn = given?.kind === 'unix' ? [dirname(given.path)] : [];
      const at = await store(...socketIn, ...(tokenFile === undefined ? [] : [tokenFile]));
      const address = given ??
        inheritedSocket(process.env) ?? { kind: 'unix', path: join(serveDirectory(at), 'serve.sock') };
      await serve(at, {
        address,
        tokenFile,
        allowChanges: options.allowChanges === true,
        channel: await channelOf(options),
        signal,
        onListening: ({ url }) => {
          output.note(`listening on ${shown(url)}`);
          output.result({ served: url }, () => '');
        },
      });
    });
}

/** @throws LaminaError notFound: there is no channel */
async function channelOf({ channel, reports }: ServeWords): Promise<ServeOptions['channel']> {
  if (channel === undefined) return undefined;
  const { directoryOf } = await import('../app/channel/fleet.js');
  return { directory: directoryOf(channel), reports };
}
