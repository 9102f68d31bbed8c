export { type BeaconRound, createBeaconApp, roundAt, type Schedule, startBeacon } from "./beacon/beacon.ts";
export { type BeaconKey, loadOrCreateBeaconKey } from "./beacon/key.ts";
export { createDrandClient, type DrandClient } from "./drand/client.ts";
export { BEACON_OPTIONS, type BeaconConfig, ORACLE_OPTIONS, type OracleConfig } from "./options.ts";
export { type RunningOracle, startOracle } from "./oracle.ts";
export { VERIFIER_OPTIONS, type VerifierConfig } from "./verifier/options.ts";
export { type RunningVerifier, startVerifier } from "./verifier/verifier.ts";
