import { createRequire } from "node:module";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatChai from "@nomicfoundation/hardhat-ethers-chai-matchers";
import hardhatIgnition from "@nomicfoundation/hardhat-ignition-ethers";
import hardhatMocha from "@nomicfoundation/hardhat-mocha";
import hardhatHelpers from "@nomicfoundation/hardhat-network-helpers";
import hardhatTypechain from "@nomicfoundation/hardhat-typechain";
import hardhatVerify from "@nomicfoundation/hardhat-verify";
import { configVariable, defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);
const solidity = {
  version: require("solc/package.json").version,
  path: require.resolve("solc/soljson.js"),
  settings: { optimizer: { enabled: true, runs: 200 }, viaIR: true, evmVersion: "prague" },
};

export default defineConfig({
  plugins: [hardhatEthers, hardhatTypechain, hardhatMocha, hardhatHelpers, hardhatChai, hardhatIgnition, hardhatVerify],
  solidity: {
    profiles: {
      default: solidity,
      // What `hardhat ignition deploy` builds with: the same, so that it finds everything compiled already.
      production: { ...solidity, isolated: false },
    },
  },
  networks: {
    // As many accounts as owners and operators of the largest deal, and some bystanders.
    default: { type: "edr-simulated", chainType: "l1", hardfork: "prague", accounts: { count: 300 } },
    node: { type: "edr-simulated", chainType: "l1", hardfork: "prague", chainId: 31337 },
    // RPC address and key come from the environment when a command names the network (docs/operating/deploy-testnet.md).
    sepolia: {
      type: "http",
      chainType: "l1",
      chainId: 11_155_111,
      url: configVariable("SEPOLIA_RPC_URL"),
      accounts: [configVariable("DEPLOYER_PRIVATE_KEY")],
    },
    "base-sepolia": {
      type: "http",
      chainType: "op",
      chainId: 84_532,
      url: configVariable("BASE_SEPOLIA_RPC_URL"),
      accounts: [configVariable("DEPLOYER_PRIVATE_KEY")],
    },
  },
  test: { mocha: { parallel: true, jobs: 2 } },
  verify: { etherscan: { apiKey: configVariable("ETHERSCAN_API_KEY") } },
  typechain: { outDir: "typechain-types" },
  paths: { tests: { mocha: "test/contracts", solidity: "test/solidity" } },
});
