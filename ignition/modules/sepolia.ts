/** For `npx hardhat ignition deploy ignition/modules/sepolia.ts --network sepolia`; `npm run deploy` runs the same and writes the address book. */
import { buildPpioModule } from "../../cli/dist/deploy/module.js";
import { publicNetwork } from "../../cli/dist/deploy/networks.js";

export default buildPpioModule(publicNetwork("sepolia").deployment);
