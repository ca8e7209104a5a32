import { describeSeeds } from "./describe-seeds.ts";

describeSeeds("500 seeds, the second half", [5, 6, 7, 8, 9]);
