/**
 * For `npx hardhat --build-profile default ignition deploy ignition/modules/base-sepolia.ts --network base-sepolia --deployment-id base-sepolia`.
 * `npm run deploy -- --network base-sepolia` runs the same module in the same folder, and writes the address book.
 */
import { buildPpioModule } from "../../cli/dist/deploy/module.js";
import { publicNetwork } from "../../cli/dist/deploy/networks.js";

export default buildPpioModule(publicNetwork("base-sepolia").deployment);
