import type { Program, Statement } from './programs.js';

type Test = Extract<Statement, { kind: 'if' }>['test'];

/** The same program for a shell, its paths below `root`. Commands fail unnoticed, as in the model. */
export function shellOf(program: Program, root: string): string {
  return program.map((statement) => statementOf(statement, root)).join('\n');
}

function statementOf(statement: Statement, root: string): string {
  const at = (path: string) => `${root}/${path}`;
  const quietly = (command: string) => `{ ${command}; } 2>/dev/null || true`;
  switch (statement.kind) {
    case 'write':
      return quietly(`printf %s ${statement.text} >${at(statement.path)}`);
    case 'append':
      return quietly(`printf %s ${statement.text} >>${at(statement.path)}`);
    case 'copy':
      return quietly(`[ -f ${at(statement.from)} ] && cat ${at(statement.from)} >${at(statement.to)}`);
    case 'move':
      return quietly(`mv -f -T ${at(statement.from)} ${at(statement.to)}`);
    case 'link':
      return quietly(`ln -T ${at(statement.from)} ${at(statement.to)}`);
    case 'symlink':
      return quietly(
        `ln -s -T ${statement.target.startsWith('/') ? `${root}${statement.target}` : statement.target} ${at(statement.path)}`,
      );
    case 'mkdir':
      return quietly(`mkdir ${at(statement.path)}`);
    case 'remove':
      return quietly(`rm ${at(statement.path)} || rmdir ${at(statement.path)}`);
    case 'removeAll':
      return quietly(`rm -rf ${at(statement.path)}`);
    case 'touch':
      return quietly(
        statement.like === null
          ? `[ ! -d ${at(statement.path)} ] && touch ${at(statement.path)}`
          : `[ ! -d ${at(statement.path)} ] && [ -e ${at(statement.like)} ] && [ ! -d ${at(statement.like)} ] && touch -r ${at(statement.like)} ${at(statement.path)}`,
      );
    case 'chmod':
      return quietly(`chmod ${statement.mode.toString(8)} ${at(statement.path)}`);
    case 'attribute':
      return quietly(`chown 1:${statement.text.charCodeAt(0)} ${at(statement.path)}`);
    case 'if': {
      const branch = (body: Program) => (body.length === 0 ? ':' : shellOf(body, root));
      return `if ${testOf(statement.test, root)}; then\n${branch(statement.then)}\nelse\n${branch(statement.otherwise)}\nfi`;
    }
    case 'each':
      return `for each in ${at(statement.directory)}/*; do ${quietly(`[ -f "$each" ] && printf %s ${statement.text} >>"$each"`)}; done`;
    case 'find':
      return quietly(
        `find ${at(statement.directory)} -type f | while read -r each; do printf %s ${statement.text} >>"$each"; done`,
      );
  }
}

function testOf(test: Test, root: string): string {
  const path = `${root}/${test.path}`;
  switch (test.kind) {
    case 'exists':
      return `[ -e ${path} ]`;
    case 'directory':
      return `[ -d ${path} ]`;
    case 'private':
      return `[ "$(stat -L -c %a ${path} 2>/dev/null)" = 600 ]`;
    case 'odd':
      return `[ $(($(ls ${path} 2>/dev/null | wc -l) % 2)) = 1 ]`;
    case 'linked':
      return `[ -f ${path} ] && [ "$(stat -L -c %h ${path} 2>/dev/null)" -gt 1 ]`;
    case 'newer': {
      const than = `${root}/${test.than}`;
      return `[ ! -d ${path} ] && [ ! -d ${than} ] && [ ${path} -nt ${than} ]`;
    }
    case 'contains':
      return `grep -q ${test.text} ${path} 2>/dev/null`;
  }
}
