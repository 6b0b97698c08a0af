//! Who is who to a nats-server: certificates, nkeys, and the JWTs of a credentials file, made for one test.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair as TlsKey};
use serde_json::{Value, json};

/// Files of an authority, and of a server and a client that it vouches for.
#[derive(Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub authority: PathBuf,
    /// The server's certificate and its key.
    pub server: (PathBuf, PathBuf),
    /// The client's.
    pub client: (PathBuf, PathBuf),
}

impl Certificates {
    /// New ones, below a directory.
    pub fn make(dir: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, TlsKey::generate()?)?;
        let issue = |name: &str| -> Result<(PathBuf, PathBuf)> {
            let key = TlsKey::generate()?;
            let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
            let certificate = params.signed_by(&key, &issuer)?;
            let certificate = write(dir, &format!("{name}.pem"), &certificate.pem())?;
            Ok((certificate, write(dir, &format!("{name}.key"), &key.serialize_pem())?))
        };
        Ok(Self {
            authority: write(dir, "authority.pem", &issuer.pem())?,
            server: issue("server")?,
            client: issue("client")?,
        })
    }
}

/// An nkey of a user: its public part, and a file with its seed.
pub fn nkey(dir: &Path) -> Result<(String, PathBuf)> {
    let user = KeyPair::new_user();
    Ok((user.public_key(), write(dir, "user.nk", &user.seed()?)?))
}

/// What a server needs to believe the JWTs of one account, and a credentials file of a user of it.
///
/// The JWTs are those of NATS' decentralized authentication, version 2, signed with Ed25519.
pub fn credentials(dir: &Path) -> Result<(String, PathBuf)> {
    let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let system = KeyPair::new_account();
    let limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1});
    let everything = json!({"pub": {}, "sub": {}});
    let of_operator = json!({"system_account": system.public_key()});
    let operator_jwt = jwt(&operator, &operator, "operator", &of_operator)?;
    let of_account = json!({"limits": limits, "default_permissions": everything});
    let account_jwt = jwt(&operator, &account, "account", &of_account)?;
    let system_jwt = jwt(&operator, &system, "account", &json!({"limits": {"conn": -1, "subs": -1}}))?;
    let of_user = json!({"pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1});
    let user_jwt = jwt(&account, &user, "user", &of_user)?;
    let config = format!(
        "operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload: {{ {}: {account_jwt}, {}: {system_jwt} }}",
        account.public_key(),
        system.public_key()
    );
    let file = format!(
        "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed()?
    );
    Ok((config, write(dir, "user.creds", &file)?))
}

fn jwt(issuer: &KeyPair, subject: &KeyPair, kind: &str, claims: &Value) -> Result<String> {
    let mut nats = claims.as_object().context("claims are an object")?.clone();
    nats.insert("type".to_owned(), kind.into());
    nats.insert("version".to_owned(), 2.into());
    let body = json!({"jti": kind, "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(),
        "name": kind, "nats": nats});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), encode(&body));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}

/// Writes a file; its path.
pub fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    fs::write(&path, text).with_context(|| path.display().to_string())?;
    Ok(path)
}
