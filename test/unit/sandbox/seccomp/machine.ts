/**
 * A machine for the classic BPF programs that seccomp(2) takes, as far as filters use it: what the kernel would decide.
 */
export interface Call {
  readonly architecture: number;
  readonly number: number;
  /** Low halves of the arguments. */
  readonly arguments?: readonly number[];
}

const [load, jump, ifEqual, ifNotBelow, ifSet, give] = [0x20, 0x05, 0x15, 0x35, 0x45, 0x06];

export function decide(program: Buffer, call: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number >>> 0, 0);
  data.writeUInt32LE(call.architecture >>> 0, 4);
  (call.arguments ?? []).forEach((value, i) => data.writeUInt32LE(value >>> 0, 16 + 8 * i));
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const [whenTrue, whenFalse] = [program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3)];
    const operand = program.readUInt32LE(at * 8 + 4);
    if (code === give) return operand;
    if (code === load) accumulator = data.readUInt32LE(operand);
    else if (code === jump) at += operand;
    else at += test(code, accumulator, operand) ? whenTrue : whenFalse;
  }
  throw new Error('the program ends without a decision');
}

function test(code: number, accumulator: number, operand: number): boolean {
  if (code === ifEqual) return accumulator === operand;
  if (code === ifNotBelow) return accumulator >= operand;
  if (code === ifSet) return (accumulator & operand) !== 0;
  throw new Error(`no instruction has the code ${code}`);
}
