/** Golden vectors of the messages that other contracts than the market check: vouchers, buckets, sponsors, verifiers. */
import {
  bucketKeyOf,
  commitReportMessage,
  createBucketMessage,
  encodeReport,
  joinCommitteeMessage,
  moveHeadMessage,
  providersHashOf,
  reportCommitment,
  sponsoredRenewalMessage,
  sponsorshipMessage,
  type TypedMessage,
  toRedeemable,
  voucherMessage,
} from "@ppio/core";
import { id, type Wallet } from "ethers";

const CHAIN_ID = 31_337n;
const CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const DEADLINE = 1_790_000_000;

const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? part.toString() : part)));

export async function messageVectors(signer: Wallet) {
  const entry = async <T extends object, D>(message: TypedMessage<T, D>, domain: D, value: T) => ({
    value: plain(value),
    digest: message.digest(domain, value),
    signature: await message.sign(domain, value, signer),
  });
  const buckets = { chainId: CHAIN_ID, bucketRegistry: CONTRACT };
  const pool = { chainId: CHAIN_ID, pool: CONTRACT };
  const committee = { chainId: CHAIN_ID, committee: CONTRACT };
  const escrow = { chainId: CHAIN_ID, escrow: CONTRACT };
  const listing = { dealId: id("deal"), offsetBytes: 0, lengthBytes: 1_234, hash: id("hash").slice(0, 34), deadline: DEADLINE };
  const bucketKey = bucketKeyOf(signer.address, id("bucket"));
  const voucher = { payer: signer.address, payee: PAYEE, cumulativeWei: 5n * 10n ** 18n };
  const report = encodeReport([{ providerId: 3, score: 9_500 }]);
  const commitment = reportCommitment(committee, signer.address, 7, id("salt"), report);
  return {
    source: "docs/protocol/typed-data.md, version 1; all contracts at the same address; signed as typed-data.json",
    chainId: CHAIN_ID.toString(),
    contract: CONTRACT,
    signer: signer.address,
    bucketKey,
    report,
    reportSalt: id("salt"),
    Voucher: await entry(voucherMessage, escrow, voucher),
    redeemableVoucher: plain(toRedeemable(voucher, await voucherMessage.sign(escrow, voucher, signer))),
    CreateBucket: await entry(createBucketMessage, buckets, { creator: signer.address, bucketId: id("bucket"), ...listing }),
    MoveHead: await entry(moveHeadMessage, buckets, {
      ...{ bucketKey, mover: signer.address, expectedSeq: 3, expectedHash: id("before").slice(0, 34) },
      ...listing,
    }),
    Sponsorship: await entry(sponsorshipMessage, pool, {
      ...{ dealId: id("deal"), user: PAYEE, providersHash: providersHashOf([1, 2, 3]), leafCountMin: 1_024 },
      ...{ payPerPeriodMaxWei: 10n ** 12n, periodsMax: 360, escrowMaxWei: 10n ** 18n, deadline: DEADLINE },
    }),
    SponsoredRenewal: await entry(sponsoredRenewalMessage, pool, {
      ...{ dealId: id("deal"), newEnd: 720, escrowMaxWei: 10n ** 18n, deadline: DEADLINE },
    }),
    Join: await entry(joinCommitteeMessage, committee, {
      ...{ verifier: signer.address, amountWei: 10n ** 21n, nonce: 0n, deadline: DEADLINE },
    }),
    Commit: await entry(commitReportMessage, committee, { verifier: signer.address, term: 7, commitment }),
  };
}
