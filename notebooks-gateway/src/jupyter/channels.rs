//! `/kernels/{id}/channels`: the WebSocket over which a client and a kernel speak.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::Response;
use tokio::sync::broadcast::error::RecvError;

use super::framing::{Framing, V1};
use super::kernel::{Kernel, Visit};
use super::kernels::Known;
use crate::api::Problem;
use crate::caller::Caller;
use crate::gateway::Gateway;

/// The longest message of a client.
const MOST: usize = 1 << 20;
/// How long a client may take to read a message.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a silent connection is asked whether it still lives.
const ALIVE: Duration = Duration::from_secs(30);

/// Opens the channels of a kernel for its owner.
pub(super) async fn open(
    State(gateway): State<Gateway>,
    Known(caller): Known,
    Path(id): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let kernel = gateway.parts().kernels.find(&caller.owner(), &id)?;
    let visit = kernel.visit().ok_or(Problem::Often(10))?;
    let upgrade = upgrade.protocols([V1]).max_message_size(MOST).max_frame_size(MOST);
    let framing = if upgrade.selected_protocol().is_some() { Framing::V1 } else { Framing::Json };
    Ok(upgrade.on_upgrade(move |socket| converse(socket, gateway, caller, kernel, visit, framing)))
}

/// Speaks until one side ends.
async fn converse(
    mut socket: WebSocket,
    gateway: Gateway,
    caller: Caller,
    kernel: Arc<Kernel>,
    mut visit: Visit,
    framing: Framing,
) {
    let mut ticks = tokio::time::interval(ALIVE);
    let mut is_silent = false;
    loop {
        tokio::select! {
            message = visit.messages.recv() => {
                let message = match message {
                    Ok(message) => message,
                    // A client that does not read in time loses its connection, not single messages.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                };
                let is_ours = message.to.is_none_or(|to| to == visit.number());
                if is_ours && !sent(&mut socket, framing.write(&message)).await {
                    return;
                }
            }
            frame = socket.recv() => {
                is_silent = false;
                match frame {
                    Some(Ok(frame @ (Message::Text(_) | Message::Binary(_)))) => {
                        let may = gateway.parts().rates.call(caller.user(), gateway.now()).is_ok();
                        let message = framing.read(&frame);
                        if !may || message.is_none_or(|message| !kernel.take(message, visit.number())) {
                            break;
                        }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                }
            }
            _ = ticks.tick() => {
                if is_silent || !sent(&mut socket, Message::Ping(Vec::new().into())).await {
                    return;
                }
                is_silent = true;
            }
            () = kernel.ended() => break,
        }
    }
    let close =
        CloseFrame { code: close_code::POLICY, reason: "the kernel ended, or too much was said".into() };
    let _ = sent(&mut socket, Message::Close(Some(close))).await;
}

async fn sent(socket: &mut WebSocket, frame: Message) -> bool {
    matches!(tokio::time::timeout(PATIENCE, socket.send(frame)).await, Ok(Ok(())))
}
