//! Service tokens: made, changed, deleted for ever.

use crate::{
    command::TokenCommand,
    decide::{Events, Judge, changed, is_new, require_name, require_prose},
    event::Event,
    model::{Personal, Token},
    principal::Principal,
    refusal::{Kind, Refusal},
    state::NameKind,
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn judge_token(&self, command: &TokenCommand) -> Events {
        match command {
            TokenCommand::Create { id, name, description, external_id, expires_at } => {
                let token = Token {
                    id: *id,
                    name: name.clone(),
                    description: description.clone(),
                    external_id: external_id.clone().map(Personal::Clear),
                    expires_at: *expires_at,
                    created_at: self.at,
                    ended_at: None,
                };
                self.require_token_fits(&token, None)?;
                self.require_future(token.expires_at)?;
                Ok(vec![Event::TokenCreated { token }])
            }
            TokenCommand::Update { id, name, description, external_id, expires_at } => {
                let old = self.state.token(*id).filter(|token| token.ended_at.is_none());
                let old = old.ok_or(Refusal::NotFound(Kind::Token))?;
                let external_id = external_id.clone().map(|value| value.map(Personal::Clear));
                let token = Token {
                    name: name.clone().unwrap_or_else(|| old.name.clone()),
                    description: changed(description.as_ref(), old.description.as_ref()),
                    external_id: changed(external_id.as_ref(), old.external_id.as_ref()),
                    expires_at: changed(expires_at.as_ref(), old.expires_at.as_ref()),
                    ..old.clone()
                };
                self.update_token(old, token)
            }
            TokenCommand::Delete { id } => {
                let token = self.state.token(*id).ok_or(Refusal::NotFound(Kind::Token))?;
                if token.ended_at.is_some() {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::TokenDeleted { token: Token { ended_at: Some(self.at), ..token.clone() } }])
            }
        }
    }

    /// A later end, or another external id, confers everything the token has. So does another name: files and people give to
    /// names.
    fn update_token(&self, old: &Token, token: Token) -> Events {
        if token == *old {
            return Ok(Vec::new());
        }
        self.require_token_fits(&token, Some(old))?;
        let until = Timestamp::end(token.expires_at);
        if token.expires_at != old.expires_at {
            self.require_future(token.expires_at)?;
        }
        let renamed = token.name != old.name || token.external_id != old.external_id;
        if until > Timestamp::end(old.expires_at) || renamed {
            self.require_everything(Principal::Token(old.id), until, None)?;
        }
        Ok(vec![Event::TokenUpdated { token }])
    }

    fn require_token_fits(&self, token: &Token, old: Option<&Token>) -> Result<(), Refusal> {
        if is_new(&token.name, old.map(|old| &old.name)) {
            require_name(&token.name)?;
            if self
                .state
                .holder_of(NameKind::Token, &token.name)
                .is_some_and(|holder| holder != token.id.uuid())
            {
                return Err(Refusal::NameTaken(Kind::Token));
            }
        }
        if is_new(&token.description, old.map(|old| &old.description)) {
            require_prose("/description", token.description.as_deref())?;
        }
        if !is_new(&token.external_id, old.map(|old| &old.external_id)) {
            return Ok(());
        }
        self.require_external_id(NameKind::TokenExternalId, token.external_id.as_ref(), token.id.uuid())
    }
}
