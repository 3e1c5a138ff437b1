/** What stands in a person's way, with what to do about it; printed without a stack trace. */
export class Problem extends Error {
  /** How to mend it: a sentence or a command. */
  mend: string;
  constructor(message: string, mend: string) {
    super(message);
    this.mend = mend;
  }
}

/** Runs a command's main function; a Problem becomes two readable lines and exit status 1. */
export async function command(main: (args: string[]) => Promise<number | void> | number | void): Promise<void> {
  try {
    process.exitCode = (await main(process.argv.slice(2))) ?? 0;
  } catch (error) {
    if (error instanceof Problem) console.error(`halo: ${error.message}\nMend: ${error.mend}`);
    else if (isArgumentError(error)) console.error(`halo: ${error.message}`);
    else throw error;
    process.exitCode = 1;
  }
}

const isArgumentError = (error: unknown): error is Error =>
  error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
