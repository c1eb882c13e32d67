import { ChannelWorld } from './channels.js';
import { StaticServer } from './static-server.js';
import { TufRepository } from './tuf-repository.js';

/** A channel with one update, the keys to sign anything in it, and a server of its files. */
export interface ServedRepository {
  readonly world: ChannelWorld;
  readonly repository: TufRepository;
  readonly server: StaticServer;
}

export async function serveRepository(): Promise<ServedRepository> {
  const world = new ChannelWorld();
  await world.make();
  await world.publish('one', { percent: 10 });
  return { world, repository: new TufRepository(world), server: await StaticServer.start(world.public) };
}
