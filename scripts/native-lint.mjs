// Holds native/ to its rooms: who may include whom (docs/architecture.md), and to files of one subject.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '../native');
/** C++ as well, on no room but sys: a program that judges any file system. */
const conformance = join(import.meta.dirname, '../test/conformance');
const partsOfConformance = ['support', 'parallel', 'sys'];
const maxLines = 300;
const maxColumns = 120;
/** The parts of the merged tree, lowest first: each may include those before it, and these. */
const partsOfTree = ['lookup', 'links', 'copy_up', 'files', 'names'].map((part) => `overlay/tree/${part}`);
const belowTree = ['sys', 'overlay', 'overlay/layers', 'overlay/upper', 'overlay/inodes'];
/**
 * What each room may include besides itself. "overlay" alone is what others see of that room: its interface and words.
 * Its parts, each with what it may include of the others, are for itself, tests, and the few that are named below.
 */
const allowed = {
  sys: [],
  overlay: ['sys'],
  'overlay/layers': ['sys', 'overlay'],
  'overlay/upper': ['sys', 'overlay', 'overlay/layers'],
  'overlay/inodes': ['sys', 'overlay', 'overlay/layers'],
  'overlay/owners': ['sys', 'overlay', 'overlay/layers', 'overlay/upper'],
  ...Object.fromEntries(partsOfTree.map((part, index) => [part, [...belowTree, ...partsOfTree.slice(0, index)]])),
  'overlay/tree': [...belowTree, ...partsOfTree, 'overlay/owners'],
  fuse: ['sys'],
  filter: ['sys'],
  control: ['sys'],
  server: ['sys', 'overlay', 'fuse', 'filter'],
  daemon: ['sys', 'overlay', 'overlay/layers', 'fuse', 'filter', 'control', 'server'],
  addon: ['sys', 'filter'],
  sandbox: [],
  fuzz: ['sys', 'overlay', 'overlay/layers', 'overlay/upper', 'fuse', 'filter', 'control', 'server', 'daemon'],
};
const rooms = Object.keys(allowed);

/** The room of a file below native/; a directory that is no room is named as it is. */
const roomOf = (file) => (file.startsWith('test/') ? 'test' : dirname(file));

function* sources(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(h|cc)$/.test(entry.name)) yield path;
  }
}

/** What is wrong with `#include "included"` in a file of `room`, or undefined. */
function includeProblem(room, included) {
  const other = roomOf(included);
  if (other === room || (room === 'test' && rooms.includes(other))) return undefined;
  if (!rooms.includes(other)) return `include "${included}" as "room/file.h" or "room/part/file.h", from native/`;
  const may = allowed[room] ?? [];
  return may.includes(other) ? undefined : `${room} may not include ${other} (only: ${may.join(', ') || 'nothing'})`;
}

/** What is wrong with any C++ file, wherever it is. */
function shapeProblems(name, text) {
  const problems = [];
  const lines = text.split('\n');
  if (lines.length > maxLines + 1) problems.push(`${name}: ${lines.length - 1} lines; at most ${maxLines}`);
  const long = lines.findIndex((line) => line.length > maxColumns);
  if (long !== -1) problems.push(`${name}:${long + 1}: more than ${maxColumns} columns`);
  if (name.endsWith('.h') && !/^#pragma once$/m.test(text)) problems.push(`${name}: a header without #pragma once`);
  return problems;
}

function problemsOfConformance(path) {
  const name = `../test/conformance/${relative(conformance, path)}`;
  const text = readFileSync(path, 'utf8');
  const foreign = [...text.matchAll(/^\s*#\s*include\s+"([^"/]+)/gm)].filter(
    ([, part]) => !partsOfConformance.includes(part),
  );
  return [...shapeProblems(name, text), ...foreign.map(([, part]) => `${name}: may not include ${part}`)];
}

function problemsOf(path) {
  const name = relative(root, path);
  const room = roomOf(name);
  const text = readFileSync(path, 'utf8');
  const problems = shapeProblems(name, text);
  if (room !== 'test' && !rooms.includes(room)) problems.push(`${name}: '${room}' is no room of native/`);
  for (const [index, line] of text.split('\n').entries()) {
    const included = /^\s*#\s*include\s+"([^"]+)"/.exec(line)?.[1];
    const problem = included === undefined ? undefined : includeProblem(room, included);
    if (problem !== undefined) problems.push(`${name}:${index + 1}: ${problem}`);
  }
  return problems;
}

const problems = [
  ...[...sources(root)].flatMap(problemsOf),
  ...[...sources(conformance)].flatMap(problemsOfConformance),
];
for (const problem of problems) console.error(`native/${problem}`);
process.exit(problems.length === 0 ? 0 : 1);
