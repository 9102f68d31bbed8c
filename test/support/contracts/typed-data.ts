/** The market's typed data besides offers, written out once more from IStorageMarket: core's own tables are what is tested. */
function fields(text: string): { type: string; name: string }[] {
  return text.split(",").map((field) => {
    const [type = "", name = ""] = field.split(" ");
    return { type, name };
  });
}

export const OPEN_DEAL_TYPES = {
  OpenDeal: fields(
    "address owner,address payer,bytes32 dealSalt,bytes32 headerHash,bytes32 rootsHash,uint256 maxEscrowWei,uint64 deadline",
  ),
};
export const TERMINATE_DEAL_TYPES = { TerminateDeal: fields("bytes32 dealId,uint64 deadline") };
export const WITHDRAW_TYPES = { Withdraw: fields("address account,address to,uint256 nonce,uint64 deadline") };
