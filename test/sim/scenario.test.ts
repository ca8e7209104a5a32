import { describeSeeds } from "./describe-seeds.ts";

describeSeeds("500 seeds, the first half", [0, 1, 2, 3, 4]);
