import { createRequire } from "node:module";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatChai from "@nomicfoundation/hardhat-ethers-chai-matchers";
import hardhatMocha from "@nomicfoundation/hardhat-mocha";
import hardhatHelpers from "@nomicfoundation/hardhat-network-helpers";
import hardhatTypechain from "@nomicfoundation/hardhat-typechain";
import { defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);
export default defineConfig({
  plugins: [hardhatEthers, hardhatTypechain, hardhatMocha, hardhatHelpers, hardhatChai],
  solidity: {
    profiles: {
      default: {
        version: require("solc/package.json").version,
        path: require.resolve("solc/soljson.js"),
        settings: { optimizer: { enabled: true, runs: 200 }, viaIR: true, evmVersion: "prague" },
      },
    },
  },
  networks: {
    // As many accounts as owners and operators of the largest deal, and some bystanders.
    default: { type: "edr-simulated", chainType: "l1", hardfork: "prague", accounts: { count: 300 } },
    node: { type: "edr-simulated", chainType: "l1", hardfork: "prague", chainId: 31337 },
  },
  typechain: { outDir: "typechain-types" },
  paths: { tests: { mocha: "test/contracts", solidity: "test/solidity" } },
});
