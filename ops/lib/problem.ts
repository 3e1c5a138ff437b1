/** What stands in a person's way, with what to do about it; printed without a stack trace. */
export class Problem extends Error {
  /** How to mend it: a sentence or a command. */
  mend: string;
  constructor(message: string, mend: string) {
    super(message);
    this.mend = mend;
  }
}

/** Runs a command's main function, whose number is the exit status; a Problem becomes two readable lines and 1. */
export async function command(main: (args: string[]) => unknown): Promise<void> {
  try {
    const status = await main(process.argv.slice(2));
    process.exitCode = typeof status === "number" ? status : 0;
  } catch (error) {
    if (error instanceof Problem)
      console.error(`halo: ${error.message}
Mend: ${error.mend}`);
    else if (isArgumentError(error)) console.error(`halo: ${error.message}`);
    else throw error;
    process.exitCode = 1;
  }
}

const isArgumentError = (error: unknown): error is Error =>
  error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
