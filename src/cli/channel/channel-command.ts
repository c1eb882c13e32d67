import type { Command } from 'commander';
import { addChannelInit } from './init-command.js';
import { addFleetCommands } from './fleet-commands.js';
import { addKeyCommands } from './key-commands.js';
import { addMachines } from './machines-command.js';
import { addPublishCommands } from './publish-commands.js';

export function addChannelCommands(program: Command): void {
  const channel = program.command('channel').description('publish signed updates, for machines that follow a channel');
  addChannelInit(channel);
  addPublishCommands(channel);
  addKeyCommands(channel);
  addFleetCommands(channel);
  addMachines(channel);
}
