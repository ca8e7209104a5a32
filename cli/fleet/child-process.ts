/** Processes of the fleet's own, which never outlive the command, however it ends. */
import { type ChildProcess, fork } from "node:child_process";

/** Forks a module; a command that exits without waiting for the process takes it along. */
export function forkOwn(modulePath: string, execArgv: readonly string[] = process.execArgv): ChildProcess {
  const child = fork(modulePath, [], { serialization: "advanced", execArgv: [...execArgv] });
  const kill = (): boolean => child.kill("SIGKILL");
  // Before what else happens at the exit: nobody may write into a directory that is being removed.
  process.prependListener("exit", kill);
  child.once("exit", () => process.removeListener("exit", kill));
  return child;
}

/** Says in words how a process ended. */
export function describeEnd({ exitCode, signalCode }: ChildProcess): string {
  return signalCode === null ? `with status ${exitCode}` : `by ${signalCode}`;
}
