/**
 * For `npx hardhat --build-profile default ignition deploy ignition/modules/sepolia.ts --network sepolia --deployment-id sepolia`.
 * `npm run deploy -- --network sepolia` runs the same module in the same folder, and writes the address book.
 */
import { buildPpioModule } from "../../cli/dist/deploy/module.js";
import { publicNetwork } from "../../cli/dist/deploy/networks.js";

export default buildPpioModule(publicNetwork("sepolia").deployment);
