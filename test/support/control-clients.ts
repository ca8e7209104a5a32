/** AWS's own clients as programs of this machine: where they are, and how they are run against a control plane. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";

/** What a client program left behind. */
export interface ClientRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Debian's AWS CLI, version 2. */
export const AWS_CLI = "/usr/bin/aws";
/** Debian's Python. */
export const DEBIAN_PYTHON = "/usr/bin/python3";
/** Debian's boto3. */
export const DEBIAN_BOTO3 = "/usr/lib/python3/dist-packages/boto3";

/**
 * Says whether a test of these programs must be skipped, and says on stderr what to install; in CI nothing is skipped,
 * so that a missing program fails its test.
 */
export function isMissing(...paths: readonly string[]): boolean {
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length === 0 || process.env.CI !== undefined) return false;
  console.error(`${missing.join(" and ")}: not there; apt-get install -y --no-install-recommends awscli python3-boto3`);
  return true;
}

/** Runs a client with throw-away credentials and no retries, and nothing of the user's own configuration. */
export function runClient(program: string, args: readonly string[], stdin = ""): Promise<ClientRun> {
  const env = {
    PATH: "/usr/bin:/bin",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "not-a-secret",
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_MAX_ATTEMPTS: "1",
    AWS_PAGER: "",
    NO_PROXY: "*",
  };
  return new Promise((resolve) => {
    const child = execFile(program, args, { env }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ status, stdout, stderr });
    });
    child.stdin?.end(stdin);
  });
}
