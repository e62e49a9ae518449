/** The one function of sodium-native that this project uses; the package brings no types. */
declare module 'sodium-native' {
  const sodium: {
    /** BLAKE2b of `input` with the length of `output` as digest length. */
    crypto_generichash(output: Uint8Array, input: Uint8Array): void;
  };
  export default sodium;
}
