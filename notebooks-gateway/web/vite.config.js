// One file, no hash in its name (the gateway adds a version to the address), no source map, nothing that evaluates text.
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    modulePreload: false,
    rollupOptions: {
      input: "src/workbench.ts",
      output: { entryFileNames: "workbench.js", format: "es" },
    },
  },
});
