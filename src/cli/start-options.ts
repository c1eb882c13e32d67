import { Option } from 'commander';
import { collect } from './arguments.js';

/** How a command starts, for those that run or describe one. */
export const startOptions = {
  user: (): Option => new Option('--user <user[:group]>', 'run as this user of the container, a name or a number'),
  env: (): Option =>
    new Option('--env <name=value>', 'a variable of its environment; may be repeated').argParser(collect),
  workdir: (): Option => new Option('--workdir <directory>', 'the directory in the container in which it starts'),
};
