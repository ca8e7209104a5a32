/** Decides which credentials an AWS client is given: dummy ones for a server on this machine, where nobody named any. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A pair of keys for an AWS client. Never logged. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a server on this machine that checks no secrets is told. */
const DUMMY_CREDENTIALS: AwsCredentials = { accessKeyId: "otastream", secretAccessKey: "otastream" };

/** Each of these alone makes the SDK's default chain look somewhere. */
const CREDENTIAL_VARIABLES = [
  "AWS_PROFILE",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/** Settings of a profile that lead to credentials; a profile with a region only has none. */
const CREDENTIAL_SETTINGS =
  /^\s*(aws_access_key_id|role_arn|credential_process|sso_session|sso_start_url|login_session)\s*=/;

/** Says whether `endpoint`, a URL, is on this machine: a host of 127.0.0.0/8, `::1`, `localhost` or below `.localhost`. */
export function isLoopbackEndpoint(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { hostname } = new URL(endpoint);
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}

/**
 * Chooses the credentials for an AWS client of `endpoint`: dummy ones when the endpoint is loopback and neither the
 * environment nor the default profile has any; undefined leaves it to the SDK's default chain. Without an endpoint the
 * client talks to AWS, and the answer is always undefined.
 */
export function defaultCredentials(
  endpoint: string | undefined,
  environment: Environment = process.env,
): AwsCredentials | undefined {
  if (endpoint === undefined || !isLoopbackEndpoint(endpoint)) return undefined;
  return environmentHasCredentials(environment) || defaultProfileHasCredentials(environment)
    ? undefined
    : DUMMY_CREDENTIALS;
}

function environmentHasCredentials(environment: Environment): boolean {
  if (environment.AWS_ACCESS_KEY_ID && environment.AWS_SECRET_ACCESS_KEY) return true;
  return CREDENTIAL_VARIABLES.some((name) => Boolean(environment[name]));
}

function defaultProfileHasCredentials(environment: Environment): boolean {
  const folder = join(environment.HOME || homedir(), ".aws");
  const files = [
    environment.AWS_SHARED_CREDENTIALS_FILE || join(folder, "credentials"),
    environment.AWS_CONFIG_FILE || join(folder, "config"),
  ];
  return files.some((path) => hasCredentialSetting(readIfPossible(path)));
}

/** An unreadable file is none to the SDK's chain as well. */
function readIfPossible(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function hasCredentialSetting(profiles: string): boolean {
  let inDefault = false;
  for (const line of profiles.split("\n")) {
    const section = /^\s*\[\s*(?:profile\s+)?([^\]]*?)\s*\]/.exec(line);
    if (section) inDefault = section[1] === "default";
    else if (inDefault && CREDENTIAL_SETTINGS.test(line)) return true;
  }
  return false;
}
