#!/usr/bin/env node
// Fills the prose of Markdown files to 120 columns: paragraphs and items of lists, not tables, code and headings. Says
// which files are not filled, and fails; with --fix it fills them. Prettier could, but would pad every table to its
// longest cell.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const width = 120;
/** Written by programs, or with a head that is not prose. */
const generated = /^(?:docs\/reference\/|\.github\/)/;
const item = /^(\s*)([-*+]|\d+[.)])(\s+)(?=\S)/;
/** At the begin of a line these would mean something else. */
const meaning = /^(?:[-+*>|=]|#+|\d+[.)]|`{3,}.*|~{3,}.*)$|^\|/;

/** Words; a code span stays whole. */
function wordsOf(text) {
  const words = text.match(/(?:`[^`]*`|[^\s`])+|`/g) ?? [];
  return words;
}

function filled(words, first, rest) {
  const lines = [];
  let line = first;
  let isEmpty = true;
  for (const word of words) {
    if (!isEmpty && line.length + 1 + word.length > width && !meaning.test(word)) {
      lines.push(line);
      line = rest;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return isEmpty ? lines : [...lines, line];
}

const isVerbatim = (line) =>
  line === '' || /^\s*(?:#{1,6}\s|\||<|\[[^\]]+\]:|>|(?:[-*_]\s*){3,}$)/.test(line) || /(?: {2}|\\)$/.test(line);

/** A run of lines, of which only the first may begin an item. */
function fillBlock(lines) {
  const begin = item.exec(lines[0]);
  const indent = /^\s*/.exec(lines[0])[0];
  const first = begin === null ? indent : begin[0];
  const rest = begin === null ? indent : ' '.repeat(begin[0].length);
  const text = [lines[0].slice(first.length), ...lines.slice(1)].join(' ').trim();
  return filled(wordsOf(text), first, rest);
}

function fill(text) {
  const result = [];
  let block = [];
  let fence;
  const end = () => {
    if (block.length > 0) result.push(...fillBlock(block));
    block = [];
  };
  for (const line of text.split('\n')) {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== undefined || mark !== undefined) {
      end();
      result.push(line);
      if (fence === undefined) fence = mark;
      else if (mark !== undefined && line.trim() === fence) fence = undefined;
    } else if (isVerbatim(line)) {
      end();
      result.push(line);
    } else {
      if (item.test(line)) end();
      block.push(line);
    }
  }
  end();
  return result.join('\n');
}

const isFixing = process.argv.includes('--fix');
const files = execFileSync('git', ['ls-files', '*.md'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && !generated.test(file));
const wrong = files.filter((file) => {
  const text = readFileSync(file, 'utf8');
  const wanted = fill(text);
  if (wanted === text) return false;
  if (isFixing) writeFileSync(file, wanted);
  return true;
});
if (wrong.length > 0 && !isFixing) {
  process.stderr.write(`not filled to ${width} columns: ${wrong.join(', ')}; scripts/check --fix does it\n`);
  process.exitCode = 1;
}
