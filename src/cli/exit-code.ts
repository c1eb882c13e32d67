let code = 0;

/** For `run`, whose exit code is its command's. */
export function setExitCode(value: number): void {
  code = value;
}

export function exitCode(): number {
  return code;
}
