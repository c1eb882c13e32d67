#!/usr/bin/env node
import { version } from '../base/version.js';

process.stdout.write(`${version}\n`);
