/** Of a user at a registry. */
export interface Login {
  readonly user: string;
  readonly password: string;
  /** In the place of a password, by logins of some registries (OAuth 2). */
  readonly identityToken: string | undefined;
}
